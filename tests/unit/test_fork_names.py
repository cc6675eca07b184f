"""How forks are called, listed and found."""

from pathlib import Path

import pytest

from services.forking import forks
from services.workspace.fork import Fork

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
