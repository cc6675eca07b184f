"""Any replica answers a direct get; who must not read less than was told asks the leader."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.rights import inbox
from events.store import Batch, Position
from tests.log_server import LogServer, started

pytestmark = pytest.mark.slow


class FarBehind(Client):
    """A connection whose single direct gets come to a replica that has nothing yet."""

    async def request(self, subject: str, *args: Any, **kwargs: Any) -> Msg:
        if ".DIRECT.GET." in subject:
            return Msg(_client=self, subject="", reply="", data=b"", headers={"Status": "404"})
        return await super().request(subject, *args, **kwargs)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(Path(tmp_path_factory.mktemp("log")))
    yield log_server
    log_server.kill()


@asynccontextmanager
async def far_behind(server: LogServer) -> AsyncIterator[Client]:
    client = FarBehind()
    await client.connect(server.url, user="cli", password="p-cli", inbox_prefix=inbox("cli"))
    try:
        yield client
    finally:
        await client.close()


async def append(store: JetStreamEventStore, at: Position, rank: int) -> Position:
    facts = (Reprioritised(rank=rank, reason="a test"),)
    cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
    return (await store.append_many([Batch("improvement", "i1", at, facts)], cause))[0]


def store_of(connection: Client, *, replicated: bool) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC), replicated=replicated)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_replicated_log_is_read_as_far_as_its_leader_has_it(server: LogServer, count: int) -> None:
    await server.wipe()
    async with server.connection("cli") as near, far_behind(server) as far:
        position, writer = Position(), store_of(near, replicated=False)
        for rank in range(count):
            position = await append(writer, position, rank)
        events, found = await store_of(far, replicated=True).read("improvement", "i1")
        assert [event.envelope.data["rank"] for event in events] == list(range(count))
        assert found == position
        assert await store_of(far, replicated=True).position("improvement", "i1") == position


async def test_a_log_kept_once_is_read_by_direct_gets(server: LogServer) -> None:
    await server.wipe()
    async with server.connection("cli") as near, far_behind(server) as far:
        await append(store_of(near, replicated=False), Position(), 1)
        assert await store_of(far, replicated=False).read("improvement", "i1") == ((), Position())
