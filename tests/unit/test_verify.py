"""A log that was altered is found out, at its place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.memory import InMemoryEventStore
from events.store import Batch, Position, Recorded
from events.verify import exported, imported, verify, verify_export

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


def test_an_export_reads_back_to_the_same_log(log: Log) -> None:
    lines = list(exported(log))
    assert [imported(line)[0] for line in lines] == log
    assert list(verify_export(lines)) == []


def swap_neighbours_of_different_aggregates(log: Log) -> Log:
    """Both aggregates' own chains still hold: only the chain over the whole log tells."""
    log[3], log[4] = replace(log[4], seq=4), replace(log[3], seq=5)
    return log


def test_exchanged_events_of_different_aggregates_show_in_an_export(log: Log) -> None:
    chains = [imported(line)[1].encode() for line in exported(log)]
    swapped = swap_neighbours_of_different_aggregates(log)
    assert places(swapped) == []
    forged = [
        line.replace(imported(line)[1].encode(), chain)
        for line, chain in zip(exported(swapped), chains, strict=True)
    ]
    assert [(fault.seq, fault.where) for fault in verify_export(forged)] == [(4, "log"), (5, "log")]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace(b'"rank":2', b'"rank":3'),
        lambda line: line[:-20],
        lambda line: line.replace(b'"event":{', b'"event":{"extra":1,'),
        lambda line: b"",
        lambda line: b'{"seq": 3}',
    ],
    ids=["altered", "cut", "added to", "emptied", "replaced"],
)
def test_a_spoilt_line_of_an_export_shows_at_its_place(log: Log, spoil: Callable[[bytes], bytes]) -> None:
    lines = list(exported(log))
    lines[2] = spoil(lines[2])
    faults = list(verify_export(lines))
    assert faults
    assert {fault.seq for fault in faults} <= {0, 3, 4}
    assert faults[0].where in ("line 3", "improvement/a")
