"""Appends stored together whose common answer was lost: each of them learns what became of it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

from nats.aio.client import Client

from events.envelope import Cause
from events.evidence.verify import verify
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.store import Batch, Conflict, Position, Recorded
from tests.log_server import LogServer
from tests.lossy_wire import over_wire

MANY = 50


def store_on(connection: Client) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC))


async def append(store: JetStreamEventStore, id: str, at: Position, rank: int = 1) -> Position:
    cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
    batch = Batch("improvement", id, at, (Reprioritised(rank=rank, reason="a test"),))
    return (await store.append_many([batch], cause))[0]


async def whole_log(server: LogServer) -> list[Recorded]:
    async with server.connection("projector") as connection:
        log = [event async for event in store_on(connection).read_all()]
    assert list(verify(log)) == []
    return log


def once_each(log: list[Recorded]) -> bool:
    counted = Counter(event.envelope.subject for event in log)
    return set(counted.values()) == {1} and len(counted) == MANY


async def test_all_that_were_stored_are_found_on_the_log(server: LogServer) -> None:
    async with over_wire(server) as (wire, connection):
        store = store_on(connection)
        wire.lose["answer"] = b'"count":'  # the answer to a batch
        positions = await asyncio.gather(*(append(store, f"i{n}", Position()) for n in range(MANY)))
        assert wire.cuts == 1
    log = await whole_log(server)
    assert once_each(log)
    assert sorted(position.stream_seq for position in positions) == [event.seq for event in log]


async def test_all_that_never_arrived_are_sent_again(server: LogServer) -> None:
    async with over_wire(server) as (wire, connection):
        store = store_on(connection)
        wire.lose["question"] = b"Nats-Batch-Commit"
        await asyncio.gather(*(append(store, f"i{n}", Position()) for n in range(MANY)))
        assert wire.cuts == 1
    assert once_each(await whole_log(server))


async def test_who_was_overtaken_meanwhile_learns_it_and_the_others_are_sent_again(server: LogServer) -> None:
    async with over_wire(server) as (wire, connection), server.connection("cli") as elsewhere:
        store = store_on(connection)
        wire.lose["question"] = b"Nats-Batch-Commit"
        appending = [asyncio.ensure_future(append(store, f"i{n}", Position())) for n in range(MANY)]
        await append(store_on(elsewhere), "i30", Position(), rank=2)
        outcomes = await asyncio.gather(*appending, return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [30]
    assert all(isinstance(outcome, Position) for n, outcome in enumerate(outcomes) if n != 30)
    log = await whole_log(server)
    assert once_each(log)
    assert [e.envelope.data["rank"] for e in log if e.envelope.subject == "improvement/i30"] == [2]
