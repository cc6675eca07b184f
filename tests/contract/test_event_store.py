"""What every event store does: the same sentences over the one in memory and the one on JetStream."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events.envelope import NO_HASH, Cause
from events.improvement_facts import ChangeDeclined, Reprioritised, Unblocked
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryEventStore
from events.store import Batch, Conflict, EventStore, Position
from events.target import Paused, Resumed
from tests.log_server import LogServer, started


class Clock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "jetstream"])
async def store(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield InMemoryEventStore(clock)
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    async with log_server.connection("cli") as connection:
        yield JetStreamEventStore(connection, clock)


def because(text: str = "") -> Cause:
    return Cause(actor="test", source="/test", correlation=str(uuid4()), event=text)


def reprioritised(*ranks: int) -> tuple[Reprioritised, ...]:
    return tuple(Reprioritised(rank=rank, reason="a test") for rank in ranks)


async def append(
    store: EventStore, name: str, expected: Position, *ranks: int, cause: Cause | None = None
) -> Position:
    batch = Batch("improvement", name, expected, reprioritised(*ranks))
    return (await store.append_many([batch], cause or because()))[0]


async def ranks(store: EventStore, name: str) -> list[int]:
    events, _ = await store.read("improvement", name)
    return [event.envelope.data["rank"] for event in events]


async def test_an_aggregate_without_events_is_empty_at_the_zero_position(store: EventStore) -> None:
    assert await store.read("improvement", "a") == ((), Position())
    assert await store.position("improvement", "a") == Position()
    assert await store.head() == 0


async def test_a_fact_is_tallied_by_the_aggregates_that_recorded_it(store: EventStore) -> None:
    assert await store.tally("improvement", "reprioritised") == {}
    first = await append(store, "a", Position(), 1, 2)
    await append(store, "b", Position(), 1)
    await append(store, "a", first, 3)
    declined = Batch("improvement", "c", Position(), (ChangeDeclined(reason="no"),))
    await store.append_many([declined], because())
    assert await store.tally("improvement", "reprioritised") == {"a": 3, "b": 1}
    assert await store.tally("improvement", "change_declined") == {"c": 1}
    assert await store.tally("target", "reprioritised") == {}


async def test_what_was_appended_is_read_back_in_order(store: EventStore) -> None:
    first = await append(store, "a", Position(), 1)
    second = await append(store, "a", first, 2, 3)
    third = await append(store, "a", second, 4)
    assert await ranks(store, "a") == [1, 2, 3, 4]
    assert third.version == third.stream_seq == 4
    events, position = await store.read("improvement", "a")
    assert position == third == await store.position("improvement", "a")
    assert [event.envelope.sequence for event in events] == [1, 2, 3, 4]
    assert [event.seq for event in events] == [1, 2, 3, 4]


async def test_events_of_an_aggregate_are_chained_by_hash(store: EventStore) -> None:
    await append(store, "a", await append(store, "a", Position(), 1, 2), 3)
    events, position = await store.read("improvement", "a")
    envelopes = [event.envelope for event in events]
    assert [e.prevhash for e in envelopes] == [NO_HASH, envelopes[0].hash, envelopes[1].hash]
    assert position.hash == envelopes[2].hash


async def test_neighbours_on_the_log_do_not_mix(store: EventStore) -> None:
    a = await append(store, "a", Position(), 1)
    b = await append(store, "b", Position(), 10, 11)
    a = await append(store, "a", a, 2)
    await append(store, "b", b, 12)
    assert await ranks(store, "a") == [1, 2]
    assert await ranks(store, "b") == [10, 11, 12]


async def test_a_stale_append_is_a_conflict_that_says_what_was_found(store: EventStore) -> None:
    first = await append(store, "a", Position(), 1)
    second = await append(store, "a", first, 2)
    with pytest.raises(Conflict) as conflict:
        await append(store, "a", first, 3)
    assert (conflict.value.expected, conflict.value.found) == (first, second)
    assert await ranks(store, "a") == [1, 2]


async def test_a_second_creation_of_an_aggregate_is_a_conflict(store: EventStore) -> None:
    await append(store, "a", Position(), 1)
    with pytest.raises(Conflict):
        await append(store, "a", Position(), 2)


async def test_of_many_writers_at_one_position_one_wins(store: EventStore) -> None:
    start = await append(store, "a", Position(), 0)
    outcomes = await asyncio.gather(
        *(append(store, "a", start, rank) for rank in range(1, 21)), return_exceptions=True
    )
    winners = [outcome for outcome in outcomes if isinstance(outcome, Position)]
    assert len(winners) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome not in winners)
    assert len(await ranks(store, "a")) == 2


async def test_many_aggregates_are_written_at_once(store: EventStore) -> None:
    names = [f"i{number}" for number in range(40)]
    await asyncio.gather(*(append(store, name, Position(), 1, 2) for name in names))
    assert [await ranks(store, name) for name in names] == [[1, 2]] * 40
    assert await store.head() == 80


async def test_several_aggregates_are_appended_together(store: EventStore) -> None:
    cause = because()
    target = Batch("target", "t", Position(), (Paused(reason="a test"), Resumed()))
    improvement = Batch("improvement", "a", Position(), reprioritised(1))
    positions = await store.append_many([target, improvement], cause)
    assert [position.version for position in positions] == [2, 1]
    assert [position.stream_seq for position in positions] == [2, 3]
    assert await ranks(store, "a") == [1]


async def test_of_several_aggregates_all_are_appended_or_none(store: EventStore) -> None:
    taken = await append(store, "b", Position(), 1)
    batches = [
        Batch("improvement", "a", Position(), reprioritised(5, 6)),
        Batch("improvement", "b", Position(), reprioritised(7)),
    ]
    with pytest.raises(Conflict) as conflict:
        await store.append_many(batches, because())
    assert (conflict.value.id, conflict.value.found) == ("b", taken)
    assert await ranks(store, "a") == []
    assert await store.head() == 1


async def test_a_repeated_append_stores_nothing_twice_and_says_where_it_is(store: EventStore) -> None:
    cause = because()
    first = await append(store, "a", Position(), 1, 2, cause=cause)
    assert await append(store, "a", Position(), 1, 2, cause=cause) == first
    await append(store, "a", first, 3)
    assert await append(store, "a", Position(), 1, 2, cause=cause) == first
    assert await ranks(store, "a") == [1, 2, 3]


async def test_the_same_id_with_other_content_is_a_conflict(store: EventStore) -> None:
    cause = because()
    await append(store, "a", Position(), 1, cause=cause)
    with pytest.raises(Conflict):
        await append(store, "a", Position(), 2, cause=cause)


async def test_answers_to_one_event_have_the_same_ids_at_every_repetition(store: EventStore) -> None:
    cause = because(str(uuid4()))
    await append(store, "a", Position(), 1, cause=cause)
    await append(store, "b", Position(), 1, cause=cause)
    seen = [event.envelope async for event in store.read_all()]
    assert len({envelope.id for envelope in seen}) == 2
    assert {envelope.causationid for envelope in seen} == {cause.event}


async def test_the_whole_log_is_read_in_order_and_in_parts(store: EventStore) -> None:
    position = Position()
    for rank in range(5):
        position = await append(store, "a", position, rank)
    assert [event.seq async for event in store.read_all()] == [1, 2, 3, 4, 5]
    assert [event.seq async for event in store.read_all(after=2, until=4)] == [3, 4]
    assert [event.seq async for event in store.read_all(after=5)] == []


async def test_more_than_a_page_is_read_without_a_gap(store: EventStore) -> None:
    position = Position()
    for _ in range(3):
        position = await append(store, "a", position, *range(900))
    assert [event.seq async for event in store.read_all()] == list(range(1, 2701))
    assert len(await ranks(store, "a")) == 2700


async def test_a_time_is_turned_into_the_last_sequence_of_that_time(store: EventStore, clock: Clock) -> None:
    before = clock.now - timedelta(days=1)
    await append(store, "a", Position(), 1, 2)
    assert await store.seq_at(before) == 0
    assert await store.seq_at(clock.now + timedelta(days=1)) == 2


async def test_time_never_runs_backwards_within_an_aggregate(store: EventStore, clock: Clock) -> None:
    first = await append(store, "a", Position(), 1)
    clock.now -= timedelta(minutes=5)
    await append(store, "a", first, 2)
    (one, two), _ = await store.read("improvement", "a")
    assert two.envelope.at == one.envelope.at


async def test_facts_of_many_kinds_keep_their_content(store: EventStore) -> None:
    facts = (ChangeDeclined(reason="größer als „erlaubt“ 🚧"), Unblocked(reason="\x00\u2028 done"))
    await store.append_many([Batch("improvement", "a", Position(), facts)], because())
    events, _ = await store.read("improvement", "a")
    assert [event.envelope.data for event in events] == [fact.model_dump(mode="json") for fact in facts]
    assert [event.envelope.type for event in events] == [
        "aps.improvement.change_declined.v1",
        "aps.improvement.unblocked.v1",
    ]


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [Batch("improvement", "a", Position(), ())],
        [Batch("improvement", "a", Position(), reprioritised(1))] * 2,
        [Batch("improvement", "a", Position(), reprioritised(*range(1001)))],
        [Batch("improvement", "a", Position(), (Unblocked(reason="x" * 1_000_000),))],
        [Batch("improvement", "a.b", Position(), reprioritised(1))],
        [Batch("improvement", "a", Position(), (Unblocked(reason="\udcff is not text"),))],
    ],
    ids=["nothing", "no fact", "twice", "too many", "too large", "no token", "no text"],
)
async def test_what_can_never_be_stored_is_refused_by_name(store: EventStore, batches: list[Batch]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        await store.append_many(batches, because())
    assert await store.head() == 0


async def test_a_follower_sees_the_stored_and_then_the_new(store: EventStore) -> None:
    first = await append(store, "a", Position(), 1, 2)
    follower = store.live(after=1)
    assert (await anext(follower)).seq == 2
    waiting = asyncio.ensure_future(anext(follower))
    second = await append(store, "a", first, 3)
    async with asyncio.timeout(5):
        assert (await waiting).seq == second.stream_seq
    await follower.aclose()  # type: ignore[attr-defined]  # every live() is a generator


async def test_which_aggregates_have_a_fact_is_told_without_reading_the_log(store: EventStore) -> None:
    assert await store.ids("improvement", "reprioritised") == ()
    for name in ("b", "a"):
        await append(store, name, await append(store, name, Position(), 1), 2)
    assert await store.ids("improvement", "reprioritised") == ("a", "b")
    assert await store.ids("improvement", "discovered") == ()
    assert await store.ids("target", "reprioritised") == ()
