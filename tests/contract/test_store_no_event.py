"""Bytes on an aggregate's subjects that are no event: the same sentences over both stores."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryEventStore
from events.store import Batch, Broken, Conflict, EventStore, Position
from events.unreadable import is_unreadable
from tests.log_server import LogServer, started

CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
SUBJECT = "aps.v1.improvement.a.reprioritised"
OTHER = "aps.v1.improvement.a.discovered"


class Place:
    """One log: `store` remembers what it read, `cold` never does where there is a server to ask."""

    def __init__(self, store: EventStore, connection: Client | None = None) -> None:
        self.store = store
        self._connection = connection

    @property
    def cold(self) -> EventStore:
        return self.store if self._connection is None else store_on(self._connection)

    async def put(self, subject: str = SUBJECT, body: bytes = b"{}") -> None:
        if isinstance(self.store, InMemoryEventStore):
            await self.store.publish_no_event(subject, body)
        else:
            assert self._connection is not None
            await self._connection.jetstream().publish(subject, body)

    async def append(self, at: Position, *ranks: int, store: EventStore | None = None) -> Position:
        facts = tuple(Reprioritised(rank=rank, reason="a test") for rank in ranks)
        batch = Batch("improvement", "a", at, facts)
        return (await (store or self.store).append_many([batch], CAUSE))[0]


def store_on(connection: Client) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC), patience=3.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture(params=["memory", "jetstream"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "memory":
        yield Place(InMemoryEventStore(lambda: datetime.now(UTC)))
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    async with log_server.connection("admin") as connection:
        yield Place(store_on(connection), connection)


async def ranks(store: EventStore, moment: int | None = None) -> list[int]:
    asked = store.read("improvement", "a") if moment is None else store.as_of("improvement", "a", moment)
    events, position = await asked
    assert [event.envelope.sequence for event in events] == list(range(1, position.version + 1))
    return [event.envelope.data["rank"] for event in events]


async def test_an_aggregate_is_read_past_them(place: Place) -> None:
    await place.put()
    at = await place.append((await place.store.read("improvement", "a"))[1], 1, 2)
    await place.put(OTHER)
    await place.put(body=b"")
    at = await place.append((await place.store.read("improvement", "a"))[1], 3)
    await place.put()
    assert await ranks(place.store) == await ranks(place.cold) == [1, 2, 3]
    seen = [await ranks(place.cold, seq) for seq in range(8)]
    assert seen == [[], [], [1], [1, 2], [1, 2], [1, 2], [1, 2, 3], [1, 2, 3]]
    assert (await place.cold.position("improvement", "a")) == Position(3, 7, at.hash)


async def test_the_next_append_names_the_last_of_them_and_follows_on_the_event_before(place: Place) -> None:
    first = await place.append(Position(), 1)
    await place.put()
    with pytest.raises(Conflict, match=r"expected version 1 \(sequence 1\), found version 1 \(sequence 2\)"):
        await place.append(first, 2)
    assert (await place.store.read("improvement", "a"))[1] == Position(1, 2, first.hash)
    second = await place.append(Position(1, 2, first.hash), 2)
    assert (second.version, second.stream_seq) == (2, 3)
    third = await place.append(second, 3, store=place.cold)
    assert await ranks(place.cold) == [1, 2, 3]
    assert await place.cold.position("improvement", "a") == third


async def test_an_aggregate_of_nothing_else_is_empty_and_takes_its_first_event(place: Place) -> None:
    await place.put()
    await place.put()
    assert await place.cold.read("improvement", "a") == ((), Position(0, 2))
    assert await place.cold.position("improvement", "a") == Position(0, 2)
    assert (await place.append(Position(0, 2), 1)).version == 1
    assert await ranks(place.cold) == [1]


async def test_they_come_with_the_log_all_the_same(place: Place) -> None:
    await place.put()
    await place.append((await place.store.read("improvement", "a"))[1], 1)
    await place.put()
    assert [is_unreadable(event.envelope) async for event in place.cold.read_all()] == [True, False, True]


async def test_one_before_every_event_keeps_none_of_them_away(place: Place) -> None:
    at = Position()
    for rank in range(20):
        await place.put(OTHER if rank % 2 else SUBJECT)
        at = (await place.cold.read("improvement", "a"))[1]
        at = await place.append(at, rank)
    assert await ranks(place.cold) == list(range(20))


async def test_one_in_the_place_of_an_event_is_damage_as_before(server: LogServer) -> None:
    await server.wipe()
    async with server.connection("admin") as connection:
        place = Place(store_on(connection), connection)
        await place.append(Position(), 1, 2, 3)
        stored = [event async for event in place.store.read_all()]
        await server.wipe()
        for number, event in enumerate(stored):
            await place.put(SUBJECT, b"{}" if number == 1 else event.envelope.encode())
        with pytest.raises(Broken, match="goes from version 1 to 3"):
            await place.cold.read("improvement", "a")
