"""Everything an event store does, it does on three servers too: the same sentences, over a cluster."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from events.jetstream.log import JetStreamEventStore
from events.store import EventStore
from tests.cluster_servers import Cluster
from tests.conftest import run
from tests.contract import test_event_store as contract

pytestmark = pytest.mark.slow

# They find the `store` of this module, as they are collected here.
globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})
clock = contract.clock


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    servers = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        run(servers.start())
        run(servers.wipe())
        yield servers
    finally:
        servers.kill()


@pytest.fixture
async def store(cluster: Cluster, clock: contract.Clock) -> AsyncIterator[EventStore]:
    await cluster.wipe(("APS",))
    async with cluster.connection("cli") as connection:
        yield JetStreamEventStore(connection, clock, replicated=True)


@pytest.fixture
async def stores(cluster: Cluster, clock: contract.Clock) -> AsyncIterator[list[EventStore]]:
    """A store on each server."""
    await cluster.wipe(("APS",))
    connections = [cluster.connection("cli", node) for node in cluster.nodes]
    opened = [await connection.__aenter__() for connection in connections]
    yield [JetStreamEventStore(connection, clock, replicated=True) for connection in opened]
    await asyncio.gather(*(connection.close() for connection in opened))


async def test_what_one_server_acknowledged_is_read_and_followed_from_every_other(
    stores: list[EventStore],
) -> None:
    position = contract.Position()
    for n, store in enumerate([*stores, *stores]):
        position = await contract.append(store, "a", position, n)
        for other in stores:
            assert len((await other.read("improvement", "a"))[0]) == n + 1
            assert [event.seq async for event in other.read_all()] == list(range(1, n + 2))
