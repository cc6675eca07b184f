"""Three NATS servers that keep every stream three times, under the shipped configuration and users."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats.errors
import orjson
from nats.aio.client import Client

from events.jetstream.streams import Drift, compare, declare
from events.rights import inbox
from services.runtime.embedded.addresses import free_port
from tests.log_server import NATS, PASSWORDS, REPOSITORY

PROGRAM = Path(sysconfig.get_path("scripts")) / "nats-server"
REPLICAS = 3
READY_SECONDS = 60.0
STREAMS = sorted(file.stem for file in (NATS / "streams").glob("*.json"))
LOOPBACK = "127.0.0.1"


@dataclass
class Node:
    """One server: where clients, the other servers and the monitor reach it, and its process."""

    name: str
    folder: Path
    host: str = LOOPBACK
    routes_host: str = LOOPBACK
    within: Sequence[str] = ()
    client: int = field(default_factory=free_port)
    route: int = field(default_factory=free_port)
    monitor: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"nats://{self.host}:{self.client}"

    def start(self, routes: Sequence[str]) -> None:
        """Start it, with what it kept."""
        self.folder.mkdir(exist_ok=True)
        cluster = {
            "APS_NATS_ROUTE_PASSWORD": "p-route",
            "APS_NATS_ROUTES": json.dumps(list(routes)),
            "APS_NATS_CLUSTER_LISTEN": f'"{self.routes_host}:{self.route}"',
        }
        command = [*self.within, PROGRAM, "-c", NATS / "cluster.conf", "-n", self.name, "-a", self.host]
        command += ["-p", str(self.client), "-m", str(self.monitor), "-sd", self.folder / "store"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **PASSWORDS, **cluster}, stderr=log, stdout=log, cwd=REPOSITORY
            )

    def kill(self) -> None:
        """End it without a chance to write anything more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def healthy(self) -> None:
        """Wait until it says that its streams and consumers are all up to date."""
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(self._is_healthy):
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
                await asyncio.sleep(0.1)

    def _is_healthy(self) -> bool:
        """Ask where it stands: the monitor of the shipped configuration listens on the loopback alone."""
        ask = f"import urllib.request as u; u.urlopen('http://{LOOPBACK}:{self.monitor}/healthz', timeout=2)"
        words = (*self.within, sys.executable, "-S", "-c", ask)
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Cluster:
    """Servers on free ports, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path, nodes: Sequence[Node] = ()) -> None:
        """`nodes` where they do not all stand on the loopback."""
        self.nodes = tuple(nodes) or tuple(Node(f"aps-{n}", folder / f"aps-{n}") for n in range(1, 4))
        self.routes = [f"nats://route:p-route@{node.routes_host}:{node.route}" for node in self.nodes]

    @property
    def url(self) -> str:
        """All addresses, as NATS_URL takes them."""
        return ",".join(node.url for node in self.nodes)

    async def start(self) -> None:
        """Start all and wait until they are one cluster."""
        for node in self.nodes:
            node.start(self.routes)
        await self.healthy()

    async def restart(self, node: Node) -> None:
        """Start one that was killed and wait until it has caught up."""
        node.start(self.routes)
        await node.healthy()

    async def healthy(self) -> None:
        """Wait until all are up to date."""
        await asyncio.gather(*(node.healthy() for node in self.nodes))

    async def settled(self, stream: str = "APS") -> None:
        """Wait until a stream has a leader and every copy is up to date."""
        async with asyncio.timeout(READY_SECONDS), self.connection("admin") as admin:
            while True:
                with suppress(nats.errors.Error, TimeoutError):
                    answer = await admin.request(f"$JS.API.STREAM.INFO.{stream}", timeout=2)
                    copies = orjson.loads(answer.data).get("cluster", {}).get("replicas", [])
                    if len(copies) == REPLICAS - 1 and all(copy["current"] for copy in copies):
                        return
                await asyncio.sleep(0.2)

    def kill(self) -> None:
        """End all of them."""
        for node in self.nodes:
            if node.process is not None:
                node.signal(signal.SIGCONT)
                node.kill()

    def named(self, name: str) -> Node:
        """Return a server by its name."""
        return next(node for node in self.nodes if node.name == name)

    @asynccontextmanager
    async def connection(self, user: str, node: Node | None = None) -> AsyncIterator[Client]:
        """A connection as the services make it: to any server, or to one alone."""
        client = await connected(user, [one.url for one in ([node] if node else self.nodes)])
        try:
            yield client
        finally:
            await client.close()

    async def wipe(self, streams: Sequence[str] = STREAMS) -> list[Drift]:
        """Declare streams anew, empty, kept by each server."""
        async with self.connection("admin") as admin:
            for stream in streams:
                await admin.request(f"$JS.API.STREAM.DELETE.{stream}", timeout=10)
            return await declare(admin, NATS, REPLICAS)

    async def drift(self) -> list[Drift]:
        """Return what stands otherwise than declared."""
        async with self.connection("inspector") as inspector:
            return await compare(inspector, NATS, REPLICAS)

    async def leader(self, admin: Client, stream: str = "APS") -> Node:
        """Return the server that leads a stream, once there is one."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                with suppress(nats.errors.Error, TimeoutError):
                    answer = await admin.request(f"$JS.API.STREAM.INFO.{stream}", timeout=2)
                    if name := orjson.loads(answer.data).get("cluster", {}).get("leader"):
                        return self.named(name)
                await asyncio.sleep(0.2)


async def connected(user: str, urls: Sequence[str], *, in_order: bool = False) -> Client:
    """Connect as the services do, and stay connected however often servers go away.

    `in_order` takes the first server that is there, else any.
    """

    async def ignore(_: Exception) -> None:
        """The tests cause them."""

    client = Client()
    await client.connect(
        list(urls),
        user=user,
        password=f"p-{user}",
        inbox_prefix=inbox(user),
        error_cb=ignore,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        ping_interval=2,
        max_outstanding_pings=2,
        connect_timeout=5,
        dont_randomize=in_order,
    )
    return client
