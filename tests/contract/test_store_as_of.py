"""One aggregate as it stood: the same sentences over the store in memory and the one on JetStream."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryEventStore
from events.past import up_to
from events.store import Batch, EventStore, Position
from events.trail import PART, TRAIL
from tests.log_server import LogServer, started

CAUSE = Cause(actor="test", source="/test", correlation=str(uuid4()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture(params=["memory", "jetstream"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield InMemoryEventStore(lambda: datetime.now(UTC))
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    async with log_server.connection("cli") as connection:
        yield store_on(connection)


def store_on(connection: object) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC))  # type: ignore[arg-type]  # untyped


async def append(store: EventStore, name: str, expected: Position, *ranks: int) -> Position:
    facts = tuple(Reprioritised(rank=rank, reason="a test") for rank in ranks)
    return (await store.append_many([Batch("improvement", name, expected, facts)], CAUSE))[0]


async def ranks(store: EventStore, name: str, moment: int | datetime) -> list[int]:
    events, position = await store.as_of("improvement", name, moment)
    assert position.version == len(events)
    assert position.stream_seq == (events[-1].seq if events else 0)
    return [event.envelope.data["rank"] for event in events]


async def test_an_aggregate_is_seen_as_of_every_sequence(store: EventStore) -> None:
    a = await append(store, "a", Position(), 1)
    b = await append(store, "b", Position(), 10, 11)
    a = await append(store, "a", a, 2, 3, 4)
    await append(store, "b", b, 12)
    seen = [await ranks(store, "a", seq) for seq in range(8)]
    assert seen == [[], [1], [1], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]]
    assert [len(await ranks(store, "b", seq)) for seq in range(8)] == [0, 0, 1, 2, 2, 2, 2, 3]


async def test_the_position_of_a_moment_is_the_one_that_was_appended_at(store: EventStore) -> None:
    positions = [Position()]
    for rank in range(5):
        positions.append(await append(store, "a", positions[-1], rank))
    assert [(await store.as_of("improvement", "a", seq))[1] for seq in range(6)] == positions


async def test_an_aggregate_is_seen_as_of_a_time(store: EventStore) -> None:
    first = await append(store, "a", Position(), 1)
    between = datetime.now(UTC)
    await append(store, "a", first, 2)
    assert await ranks(store, "a", between) == [1]
    assert await ranks(store, "a", between - timedelta(hours=1)) == []
    assert await ranks(store, "a", between + timedelta(hours=1)) == [1, 2]


async def test_there_is_nothing_of_an_aggregate_that_never_was(store: EventStore) -> None:
    await append(store, "a", Position(), 1)
    assert await store.as_of("improvement", "b", 1) == ((), Position())


async def test_a_reader_that_knows_nothing_sees_what_the_writer_knows(server: LogServer) -> None:
    """The past comes from the log alone, over several steps back and from appends of many sizes."""
    await server.wipe()
    async with server.connection("cli") as connection:
        writer = store_on(connection)
        position = Position()
        for size in (1, 3, 1, 40, 1, 1, 17, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2):
            position = await append(writer, "a", position, *range(size))
            await append(writer, f"other-{position.version}", Position(), 1)
        known = await writer.read("improvement", "a")
        assert await store_on(connection).read("improvement", "a") == known
        for seq in range(0, position.stream_seq + 1, 7):
            assert await store_on(connection).as_of("improvement", "a", seq) == up_to(known, seq)


@pytest.mark.parametrize(
    "headers",
    [{TRAIL: "1,2,3"}, {TRAIL: "9999"}, {PART: "900"}, {TRAIL: "nonsense"}, {TRAIL: "3", PART: "-1"}],
    ids=str,
)
async def test_a_wrong_trail_changes_nothing_that_is_read(server: LogServer, headers: dict[str, str]) -> None:
    await server.wipe()
    async with server.connection("cli") as connection:
        first = await append(store_on(connection), "a", Position(), 1)
        await append(store_on(connection), "b", Position(), 10, 11)
        second = await append(store_on(connection), "a", first, 2)
        unlucky = Liar(connection, headers)
        await append(store_on(unlucky), "a", second, 3)
        assert unlucky.lied
        assert await ranks(store_on(connection), "a", 99) == [1, 2, 3]


class Liar:
    """A connection that adds headers to what is asked of it."""

    def __init__(self, connection: object, headers: dict[str, str]) -> None:
        self._connection = connection
        self._headers = headers
        self.lied = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    async def publish(
        self, subject: str, body: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        if headers:
            self.lied, headers = True, {**headers, **self._headers}
        await self._connection.publish(subject, body, reply=reply, headers=headers)  # type: ignore[attr-defined]  # untyped


async def test_a_past_is_read_while_others_append_to_it(store: EventStore) -> None:
    first = await append(store, "a", Position(), 1)

    async def append_on() -> None:
        position = first
        for rank in range(2, 40):
            position = await append(store, "a", position, rank)

    async def read_on() -> None:
        for _ in range(40):
            assert await ranks(store, "a", first.stream_seq) == [1]

    await asyncio.gather(append_on(), read_on())
