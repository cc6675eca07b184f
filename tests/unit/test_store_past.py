"""What is kept of aggregates in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from events.appending import Prepared, prepare
from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.past import NOTHING, Past, PastEvents, up_to
from events.store import Batch, Position, Recorded

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
A = ("improvement", "a")


def prepared(at: Position, count: int, id: str = "a") -> Prepared:
    facts = tuple(Reprioritised(rank=n, reason="a test") for n in range(count))
    return prepare([Batch("improvement", id, at, facts)], CAUSE, [NOON])[0]


def appended(past: PastEvents, at: Position, count: int, last: int, id: str = "a") -> Position:
    part = prepared(at, count, id)
    position = part.position(last)
    past.add(("improvement", id), at, part.bodies, position, NOON)
    return position


def read(at: Position, count: int, last: int) -> Past:
    part = prepared(at, count)
    first = last - count + 1
    return tuple(Recorded(first + n, e) for n, e in enumerate(part.envelopes)), part.position(last)


def seqs(events: Sequence[Recorded]) -> list[int]:
    return [event.seq for event in events]


def test_of_an_unknown_aggregate_nothing_is_kept() -> None:
    assert PastEvents().get(A) == NOTHING
    assert PastEvents().at(A, Position()) is None


def test_what_was_appended_is_what_would_have_been_read() -> None:
    past = PastEvents()
    first = appended(past, Position(), 2, 5)
    second = appended(past, first, 1, 9)
    events, position = past.get(A)
    assert (seqs(events), position) == ([4, 5, 9], second)
    assert events[:2] == read(Position(), 2, 5)[0]
    assert past.get(A) == (events, position)


def test_an_append_to_an_aggregate_that_is_not_known_whole_is_not_kept() -> None:
    past = PastEvents()
    appended(past, Position(3, 7, "f" * 64), 1, 9)
    assert past.get(A) == NOTHING


def test_less_than_is_kept_never_replaces_it() -> None:
    past = PastEvents()
    whole = read(Position(), 3, 8)
    past.put(A, whole)
    past.put(A, read(Position(), 2, 7))
    assert past.get(A) == whole


def test_the_trail_and_the_time_go_with_what_is_kept() -> None:
    past = PastEvents()
    past.put(A, read(Position(), 2, 5))
    position = past.get(A)[1]
    kept = past.at(A, position)
    assert kept is not None
    assert (kept.trail, kept.at) == ("4,5", NOON)
    later = prepared(position, 1)
    past.add(A, position, later.bodies, later.position(11), NOON + timedelta(hours=1))
    kept = past.at(A, later.position(11))
    assert kept is not None
    assert (kept.trail, kept.at) == ("4,5,11", NOON + timedelta(hours=1))
    assert past.at(A, position) is None


def test_the_least_recently_used_goes_first_when_the_limit_is_reached() -> None:
    past = PastEvents(limit=4)
    appended(past, Position(), 2, 2, "a")
    appended(past, Position(), 2, 4, "b")
    past.get(A)
    appended(past, Position(), 1, 5, "c")
    assert past.get(("improvement", "b")) == NOTHING
    assert seqs(past.get(A)[0]) == [1, 2]
    assert seqs(past.get(("improvement", "c"))[0]) == [5]


def test_one_aggregate_longer_than_the_limit_is_kept_alone() -> None:
    past = PastEvents(limit=4)
    appended(past, Position(), 2, 2, "b")
    appended(past, Position(), 9, 11, "a")
    assert len(past.get(A)[0]) == 9
    assert past.get(("improvement", "b")) == NOTHING


def test_a_past_is_cut_at_a_sequence() -> None:
    whole = read(Position(), 3, 8)
    assert up_to(whole, 5) == NOTHING
    assert up_to(whole, 7) == read(Position(), 2, 7)
    assert up_to(whole, 100) == whole
