"""A log that was altered is found out, at its place."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from events.envelope import Cause
from events.evidence.verify import verify
from events.improvement_facts import Reprioritised
from events.memory import InMemoryEventStore
from events.store import Batch, Position, Recorded
from tests.exported_log import heads_of

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
Log = list[Recorded]


@pytest.fixture
async def log() -> Log:
    """Sequences 1-6: a1 b1 a2 a3 b2 a4."""
    store = InMemoryEventStore(lambda: NOON)
    cause = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
    positions = {"a": Position(), "b": Position()}
    for rank, name in enumerate("abaaba"):
        batch = Batch("improvement", name, positions[name], (Reprioritised(rank=rank, reason=name),))
        positions[name] = (await store.append_many([batch], cause))[0]
    return [event async for event in store.read_all()]


def places(log: Log) -> list[tuple[int, str]]:
    return [(fault.seq, fault.where) for fault in verify(log)]


def altered(event: Recorded, **changes: object) -> Recorded:
    return replace(event, envelope=replace(event.envelope, **changes))  # type: ignore[arg-type]  # any field


def test_an_untouched_log_has_no_fault(log: Log) -> None:
    assert places(log) == []


def test_a_part_of_a_log_can_be_verified_alone(log: Log) -> None:
    assert list(verify(log[3:], after=3)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"rank": 99, "reason": "a"}},
        {"actor": "somebody else"},
        {"time": "2020-01-01T00:00:00.000000+00:00"},
        {"id": str(UUID(int=1))},
        {"correlationid": "x"},
    ],
)
def test_an_altered_event_is_reported_at_its_place(log: Log, change: dict[str, object]) -> None:
    log[2] = altered(log[2], **change)
    assert places(log) == [(3, "improvement/a")]


def test_an_event_altered_together_with_its_hash_does_not_fit_the_next(log: Log) -> None:
    log[2] = replace(log[2], envelope=replace(log[2].envelope, actor="somebody else").sealed())
    assert places(log) == [(4, "improvement/a")]


def test_a_removed_event_leaves_a_gap_and_a_broken_chain(log: Log) -> None:
    del log[2]
    assert places(log) == [(4, "log"), (4, "improvement/a")]


def test_a_removed_event_shows_even_when_the_sequences_are_closed_up(log: Log) -> None:
    del log[2]
    closed_up = [replace(event, seq=seq) for seq, event in enumerate(log, start=1)]
    assert places(closed_up) == [(3, "improvement/a")]


def test_a_removed_first_event_shows(log: Log) -> None:
    assert places([replace(event, seq=seq) for seq, event in enumerate(log[1:], start=1)]) == [
        (2, "improvement/a")
    ]


def test_exchanged_events_of_one_aggregate_show(log: Log) -> None:
    log[2], log[3] = replace(log[3], seq=3), replace(log[2], seq=4)
    assert [seq for seq, _ in places(log)] == [3, 4, 6]


def test_exchanged_lines_show_by_their_sequences(log: Log) -> None:
    log[3], log[4] = log[4], log[3]
    assert [seq for seq, _ in places(log)] == [5, 4, 6]


def swap_neighbours_of_different_aggregates(log: Log) -> Log:
    """Both aggregates' own chains still hold: only the chain over the whole log tells."""
    log[3], log[4] = replace(log[4], seq=4), replace(log[3], seq=5)
    return log


def test_exchanged_events_of_different_aggregates_show_at_the_next_signed_head(log: Log) -> None:
    heads = heads_of(log, 3)
    swapped = swap_neighbours_of_different_aggregates(log)
    assert places(swapped) == []
    (fault,) = verify(swapped, heads=heads)
    assert (fault.seq, fault.where) == (6, "log")
    assert "something after sequence 3 was altered" in fault.what


def test_what_shows_at_one_signed_head_is_not_told_again_at_the_next(log: Log) -> None:
    heads = heads_of(log, 2)
    log[0], log[1] = replace(log[1], seq=1), replace(log[0], seq=2)
    assert [fault.seq for fault in verify(log, heads=heads)] == [2]


def test_a_log_rewritten_with_hashes_that_fit_shows_at_the_next_signed_head_alone(log: Log) -> None:
    heads = heads_of(log, 2)
    before, rewritten = Position(), []
    for event in log:
        envelope = event.envelope
        if envelope.subject == "improvement/a":
            actor = "somebody else" if event.seq == 3 else envelope.actor
            envelope = replace(envelope, actor=actor, prevhash=before.hash).sealed()
            before = Position(envelope.sequence, event.seq, envelope.hash)
        rewritten.append(replace(event, envelope=envelope))
    assert places(rewritten) == []
    assert [fault.seq for fault in verify(rewritten, heads=heads)] == [4, 6]


def test_a_tail_cut_before_the_last_signed_head_shows(log: Log) -> None:
    (fault,) = verify(log[:4], heads=heads_of(log, 3))
    assert (fault.seq, fault.what.endswith("2 events are gone")) == (4, True)


def test_an_event_appended_after_the_last_head_is_not_held_against_it(log: Log) -> None:
    assert list(verify(log, heads=heads_of(log[:4], 2))) == []


def test_one_event_that_is_gone_is_one(log: Log) -> None:
    (fault,) = verify(log[:5], heads=heads_of(log[:6], 6))
    assert fault.what.endswith("1 event is gone")
