"""Which stored messages can be stored again together, and how forks are called."""

from pathlib import Path

import pytest

from events.stream_reader import EXPECTED, Stored
from services.forking import forks
from services.forking.log_copy import BATCH_BYTES, BATCH_EVENTS, together
from services.workspace.fork import Fork


def stored(seq: int, aggregate: str, *, decided: bool = True, body: bytes = b"{}") -> Stored:
    headers = {EXPECTED: "0"} if decided else {}
    return Stored(seq, f"aps.v1.improvement.{aggregate}.discovered", body, headers)


def seqs(*messages: Stored) -> list[list[int]]:
    return [[one.seq for one in batch] for batch in together(messages)]


def test_messages_of_different_aggregates_go_together() -> None:
    assert seqs(stored(1, "a"), stored(2, "b"), stored(3, "c")) == [[1, 2, 3]]


def test_one_decided_on_another_of_the_batch_begins_the_next() -> None:
    assert seqs(stored(1, "a"), stored(2, "b"), stored(3, "a"), stored(4, "b")) == [[1, 2], [3, 4]]


def test_the_rest_of_an_append_goes_with_its_first() -> None:
    assert seqs(stored(1, "a"), stored(2, "a", decided=False), stored(3, "b")) == [[1, 2, 3]]


def test_a_batch_is_bounded_in_messages_and_bytes() -> None:
    many = [stored(seq, f"a{seq}") for seq in range(1, BATCH_EVENTS + 2)]
    assert [len(batch) for batch in together(many)] == [BATCH_EVENTS, 1]
    large = [stored(seq, f"a{seq}", body=b"x" * (BATCH_BYTES // 2)) for seq in range(1, 4)]
    assert [len(batch) for batch in together(large)] == [2, 1]


def test_nothing_is_no_batch() -> None:
    assert list(together([])) == []


FORK = Fork("try", 12, "a" * 64, "2026-01-02T03:04:05+00:00", "/data", "2026-01-03T00:00:00+00:00")


@pytest.mark.parametrize("name", ["", "Up", "-x", "a/b", "..", "a" * 41, "ä", "x\n"])
def test_a_name_that_is_no_plain_word_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(forks.WrongName):
        forks.home_of(tmp_path, name)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    forks.begin(tmp_path, FORK)
    with pytest.raises(forks.NameTaken):
        forks.begin(tmp_path, FORK)


def test_without_a_name_it_is_called_after_the_sequence(tmp_path: Path) -> None:
    assert forks.free_name(tmp_path, 12) == "at-12"
    forks.begin(tmp_path, Fork(**{**FORK.__dict__, "name": "at-12"}))
    assert forks.free_name(tmp_path, 12) == "at-12-2"


def test_a_fork_is_listed_from_its_first_moment_and_found_by_name(tmp_path: Path) -> None:
    assert forks.every(tmp_path) == ()
    forks.begin(tmp_path, FORK)
    assert forks.every(tmp_path) == (FORK,)
    assert not forks.find(tmp_path, "try").finished
    with pytest.raises(forks.NoSuchFork) as missing:
        forks.find(tmp_path, "other")
    assert missing.value.known == ("try",)


def test_one_whose_marker_is_damaged_is_listed_so_that_it_can_be_removed(tmp_path: Path) -> None:
    folder = forks.begin(tmp_path, FORK)
    (folder / "fork.json").write_text("{")
    (found,) = forks.every(tmp_path)
    assert (found.name, found.finished) == ("try", False)
