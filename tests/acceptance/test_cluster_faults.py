"""Eight writers on three servers that are killed, paused and cut off: nothing lost, twice or out of order."""

import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.jetstream.log import JetStreamEventStore
from events.store import Recorded, Unavailable
from services.runtime.ground import now
from tests.cluster_servers import Cluster, Node, connected
from tests.log_writers import Writers
from tests.network_apart import Apart, network_apart

pytestmark = pytest.mark.slow

WRITERS = 8
PAUSE_SECONDS = 6.0  # longer than it takes the others to elect another leader
CUT_SECONDS = 12.0
ATTEMPTS = 5

figures = logging.getLogger("figures")  # shown by: pytest -o log_cli=true --log-cli-level=INFO


@pytest.fixture
def apart() -> Iterator[Apart]:
    try:
        with network_apart() as network:
            yield network
    except RuntimeError as problem:
        pytest.skip(f"no network of its own for a server here: {problem}")


@asynccontextmanager
async def writing(cluster: Cluster) -> AsyncIterator[Writers]:
    """Eight writers on connections of their own, spread over the servers, at work for the block."""
    async with AsyncExitStack() as stack:
        connections = []
        for n in range(WRITERS):
            urls = [node.url for node in cluster.nodes]
            turned = urls[n % 3 :] + urls[: n % 3]
            connections.append(await connected("cli", turned, in_order=True))
            stack.push_async_callback(connections[-1].close)
        writers = Writers(connections)
        writers.start()
        try:
            await writers.each_goes_on()
            yield writers
        finally:
            await writers.stop()


async def kill_the_leader(cluster: Cluster, admin: Client, writers: Writers) -> None:
    """Kill it -9; writing goes on without it, and with it again."""
    leader = await cluster.leader(admin)
    leader.kill()
    await writers.each_goes_on()
    await cluster.restart(leader)
    await writers.each_goes_on()


async def pause_the_leader(cluster: Cluster, admin: Client, writers: Writers) -> None:
    """Stop it in the middle of whatever it does, and let it go on with what it thinks to know."""
    leader = await cluster.leader(admin)
    leader.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSE_SECONDS)
    finally:
        leader.signal(signal.SIGCONT)
    await writers.each_goes_on()


async def own_copy(cluster: Cluster, node: Node, head: int) -> list[Recorded]:
    """Read the log from one server while no other runs: any other may answer in its place.

    One that has just caught up gives no answers yet; the others run again before it is asked again.
    """
    others = [other for other in cluster.nodes if other is not node]
    for attempt in range(ATTEMPTS):
        async with cluster.connection("inspector", node) as connection:
            for other in others:
                other.kill()
            store = JetStreamEventStore(connection, now, patience=2.0 + attempt)
            try:
                return [event async for event in store.read_all(until=head)]
            except Unavailable:
                if attempt == ATTEMPTS - 1:
                    raise
            finally:
                for other in others:
                    other.start(cluster.routes)
                await cluster.healthy()
                await cluster.settled()
    raise AssertionError("unreachable")


async def assert_kept(cluster: Cluster, writers: Writers) -> None:
    """Every replica holds the same log, and it is what the writers were told."""
    await cluster.healthy()
    async with cluster.connection("inspector") as connection:
        head = await JetStreamEventStore(connection, now).head()
    first, *others = [await own_copy(cluster, node, head) for node in cluster.nodes]
    writers.assert_kept(first)
    for other in others:
        assert other == first, "the replicas differ"
    assert writers.broken() == [], "a log that is whole was taken for a broken one"


async def test_a_leader_killed_and_one_paused_cost_time_and_nothing_else(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        await cluster.wipe()
        async with writing(cluster) as writers, cluster.connection("admin") as admin:
            await kill_the_leader(cluster, admin, writers)
            assert writers.read_back, "the kill hit nothing"
            before = writers.read_back
            await pause_the_leader(cluster, admin, writers)
            assert writers.read_back > before, "the pause hit nothing"
        figures.info("%s", writers.figures())
        await assert_kept(cluster, writers)
    finally:
        cluster.kill()


@pytest.mark.long
async def test_leaders_killed_paused_and_cut_off_cost_time_and_nothing_else(
    tmp_path: Path, apart: Apart
) -> None:
    """The third server is in a network of its own; only root can make one."""
    cluster = Cluster(tmp_path, nodes_with_one_apart(tmp_path, apart))
    hit = {}
    try:
        await cluster.start()
        await cluster.wipe()
        async with writing(cluster) as writers, cluster.connection("admin", cluster.nodes[0]) as admin:
            for number in (1, 2, 3):
                before = writers.read_back
                await kill_the_leader(cluster, admin, writers)
                hit[f"killed {number}"] = writers.read_back - before
            before = writers.read_back
            await pause_the_leader(cluster, admin, writers)
            hit["paused"] = writers.read_back - before
            for name, wires in (
                ("cut off from the servers", [apart.servers]),
                ("cut off from everybody", [apart.servers, apart.clients]),
            ):
                before = writers.read_back
                figures.info("%s next; %s", name, writers.broken())
                await lead(cluster, admin, cluster.nodes[2])
                for wire in wires:
                    wire.cut()
                await asyncio.sleep(CUT_SECONDS)
                for wire in wires:
                    wire.mend()
                await writers.each_goes_on()
                hit[name] = writers.read_back - before
        figures.info("%s", {**writers.figures(), **hit})
        assert min(hit.values()) > 0, f"a fault hit nothing: {hit}"
        await assert_kept(cluster, writers)
    finally:
        cluster.kill()


def nodes_with_one_apart(folder: Path, apart: Apart) -> list[Node]:
    """Two servers of this network and one of the other; they reach each other over the servers' wire."""
    here = [Node(f"aps-{n}", folder / f"aps-{n}", routes_host=apart.servers.near_address) for n in (1, 2)]
    there = Node(
        "aps-3",
        folder / "aps-3",
        host=apart.clients.far_address,
        routes_host=apart.servers.far_address,
        within=apart.within,
    )
    return [*here, there]


async def lead(cluster: Cluster, admin: Client, node: Node) -> None:
    """Make a server the leader of the log."""
    body = json.dumps({"placement": {"preferred": node.name}}).encode()
    async with asyncio.timeout(60):
        while await cluster.leader(admin) is not node:
            await admin.request("$JS.API.STREAM.LEADER.STEPDOWN.APS", body, timeout=5)
            await asyncio.sleep(0.5)
