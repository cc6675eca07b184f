"""Appends whose outcome is unknown, and logs that were tampered with, on a real server.

Between store and server stands a wire that can lose what the server was told, or what it answered.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.client import Client

from events.envelope import Cause, envelop
from events.evidence.verify import verify
from events.fact import Fact
from events.improvement_facts import ChangeDeployed, Reprioritised
from events.jetstream.committer import Committer, Uncertain
from events.jetstream.log import JetStreamEventStore
from events.jetstream.wire import Message
from events.store import Batch, Broken, Conflict, Position, Unavailable
from events.subjects import Address, subject
from tests.log_server import LogServer, started
from tests.lossy_wire import Wire, over_wire


@asynccontextmanager
async def through(server: LogServer) -> AsyncIterator[tuple[Wire, JetStreamEventStore]]:
    async with over_wire(server) as (wire, client):
        yield wire, store_of(client)


def store_of(connection: Client, patience: float = 10.0) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC), patience=patience)


def because() -> Cause:
    return Cause(actor="test", source="/test", correlation=str(uuid4()))


def reprioritised(*ranks: int) -> tuple[Reprioritised, ...]:
    return tuple(Reprioritised(rank=rank, reason="a test") for rank in ranks)


async def append(store: JetStreamEventStore, expected: Position, *ranks: int, name: str = "i1") -> Position:
    return (
        await store.append_many([Batch("improvement", name, expected, reprioritised(*ranks))], because())
    )[0]


async def ranks(server: LogServer, name: str = "i1") -> list[int]:
    async with server.connection("projector") as connection:
        events, _ = await store_of(connection).read("improvement", name)
        return [event.envelope.data["rank"] for event in events]


@pytest.mark.parametrize("new", [(1,), (1, 2, 3)], ids=["one event", "a batch"])
async def test_an_append_whose_answer_was_lost_is_found_on_the_log(
    server: LogServer, new: tuple[int, ...]
) -> None:
    async with through(server) as (wire, store):
        start = await append(store, Position(), 0)
        wire.lose["answer"] = b'"seq":'
        position = await append(store, start, *new)
        assert wire.cuts == 1
        assert await store.position("improvement", "i1") == position
    assert await ranks(server) == [0, *new]


async def test_an_answer_to_a_connection_that_broke_is_not_waited_for(server: LogServer) -> None:
    own = subject(Address("improvement", "i1", "reprioritised"))
    async with over_wire(server) as (wire, client):
        wire.lose["answer"] = b'"seq":'
        async with asyncio.timeout(120):
            with pytest.raises(Uncertain):
                await Committer(client, answer_seconds=600).commit([Message(own, b"{}")])
        assert wire.cuts == 1


@pytest.mark.parametrize("new", [(1,), (1, 2, 3)], ids=["one event", "a batch"])
async def test_an_append_that_never_arrived_is_sent_again(server: LogServer, new: tuple[int, ...]) -> None:
    async with through(server) as (wire, store):
        start = await append(store, Position(), 0)
        wire.lose["question"] = b'"reason":"a test"'
        position = await append(store, start, *new)
        assert wire.cuts == 1
        assert position.version == 1 + len(new)
    assert await ranks(server) == [0, *new]


async def test_a_lost_answer_is_found_even_when_another_wrote_after_it(server: LogServer) -> None:
    async with through(server) as (wire, store), server.connection("cli") as connection:
        start = await append(store, Position(), 0)
        wire.lose["answer"] = b'"seq":'
        appending = asyncio.ensure_future(append(store, start, 1))
        other = store_of(connection)
        async for event in other.live(after=1):  # ends with the append that was not answered
            mine = await other.position("improvement", "i1")
            assert event.seq == mine.stream_seq
            break
        await append(other, mine, 2)
        assert await appending == mine
    assert await ranks(server) == [0, 1, 2]


async def test_an_append_that_never_arrived_and_was_overtaken_is_a_conflict(server: LogServer) -> None:
    async with through(server) as (wire, store), server.connection("cli") as connection:
        start = await append(store, Position(), 0)
        wire.lose["question"] = b'"rank":1'
        appending = asyncio.ensure_future(append(store, start, 1))
        await append(store_of(connection), start, 2)
        with pytest.raises(Conflict):
            await appending
    assert await ranks(server) == [0, 2]


async def test_a_follower_goes_on_after_its_connection_was_cut(server: LogServer) -> None:
    async with through(server) as (wire, store), server.connection("cli") as connection:
        follower = store.live()
        first = await append(store_of(connection), Position(), 1)
        assert (await anext(follower)).seq == 1
        wire.lose["answer"] = b"MSG"
        await append(store_of(connection), first, 2, 3)
        async with asyncio.timeout(15):
            assert [(await anext(follower)).seq for _ in range(2)] == [2, 3]
        assert wire.cuts == 1
        await follower.aclose()


async def write_on(store: JetStreamEventStore, name: str, count: int) -> Position:
    """Append `count` events one by one or in pairs, going on whatever happens to the server."""
    position = Position()
    while position.version < count:
        new = range(position.version, min(position.version + 1 + position.version % 2, count))
        try:
            position = await append(store, position, *new, name=name)
        except Unavailable:
            position = await patiently_read(store, name)
    return position


async def patiently_read(store: JetStreamEventStore, name: str) -> Position:
    while True:
        try:
            return (await store.read("improvement", name))[1]
        except Unavailable:
            continue


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed_while_writers_write(
    tmp_path: Path,
) -> None:
    server = started(tmp_path)
    try:
        await server.wipe()
        async with server.connection("cli") as connection, server.connection("projector") as reading:
            store = store_of(connection, patience=3.0)
            writers = [asyncio.ensure_future(write_on(store, f"i{n}", 150)) for n in range(4)]
            follower = store_of(reading).live()
            seen = [await anext(follower) for _ in range(100)]
            for _ in range(3):
                server.kill()
                await asyncio.to_thread(server.start)
                seen += [await anext(follower) for _ in range(100)]
            positions = await asyncio.gather(*writers)
            seen += [await anext(follower) for _ in range(600 - len(seen))]
            await follower.aclose()
            log = [event async for event in store_of(reading).read_all()]
        assert [position.version for position in positions] == [150] * 4
        for n in range(4):
            assert await ranks(server, f"i{n}") == list(range(150))
    finally:
        server.kill()
    assert seen == log
    assert list(verify(log)) == []


def forged(fact: Fact, version: int = 1) -> bytes:
    address = Address("improvement", "i1", fact.name)
    return envelop(fact, address, version, "0" * 64, because(), datetime.now(UTC)).encode()


def deployed() -> ChangeDeployed:
    return ChangeDeployed(deployment="d", branch="b", commit="c", tree="t", partly=False)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (forged(deployed()), "holds a"),
        (forged(reprioritised(1)[0], version=5), "version"),
        (forged(reprioritised(1)[0]).replace(b"a test", b"a lie!"), "altered"),
    ],
    ids=["another's fact", "a wrong version", "a wrong hash"],
)
async def test_what_a_user_may_publish_is_still_no_event_unless_it_fits(
    server: LogServer, body: bytes, complaint: str
) -> None:
    """The server holds a user to subjects; what stands under them is checked by every reader."""
    own = subject(Address("improvement", "i1", "reprioritised"))
    expected = {"Nats-Expected-Last-Subject-Sequence": "0"}
    async with server.connection("cli") as connection:
        await connection.request(own, body, timeout=5, headers=expected)
        with pytest.raises(Broken, match=complaint):
            await store_of(connection).read("improvement", "i1")


async def test_an_event_that_vanished_from_the_stream_is_found_missing(server: LogServer) -> None:
    async with server.connection("admin") as admin:
        config = json.loads((await admin.request("$JS.API.STREAM.INFO.APS", timeout=5)).data)["config"]
        await admin.request("$JS.API.STREAM.DELETE.APS", timeout=5)
        config.update(deny_delete=False, deny_purge=False)
        await admin.request("$JS.API.STREAM.CREATE.APS", json.dumps(config).encode(), timeout=5)
        position = Position()
        for rank in range(5):
            position = await append(store_of(admin), position, rank)
        gone = json.dumps({"seq": 3}).encode()
        await admin.request("$JS.API.STREAM.MSG.DELETE.APS", gone, timeout=5)
        store = store_of(admin, patience=1.0)  # so long a replica may lag behind; here is but one
        with pytest.raises(Broken, match="sequence 3"):
            _ = [event async for event in store.read_all()]
        with pytest.raises(Broken, match="sequence 3"):
            await store.read("improvement", "i1")


async def test_a_log_that_lost_its_end_is_noticed_by_who_has_read_it(server: LogServer) -> None:
    async with server.connection("cli") as connection:
        store = store_of(connection, patience=1.0)
        await append(store, await append(store, Position(), 1), 2)
        await server.wipe()
        with pytest.raises(Broken, match="ends before"):
            await store.read("improvement", "i1")


async def test_an_unreachable_server_is_unavailable_within_the_patience_given(tmp_path: Path) -> None:
    server = started(tmp_path)
    await server.wipe()
    async with server.connection("cli") as connection:
        store = store_of(connection, patience=0.5)
        server.kill()
        async with asyncio.timeout(15):
            with pytest.raises(Unavailable):
                await append(store, Position(), 1)
            with pytest.raises(Unavailable):
                await store.head()
        server.start()  # the client library can only close a connection that stands
        async with asyncio.timeout(15):
            while not connection.is_connected:
                await asyncio.wait_for(connection.flush(), 1)
    server.kill()
