"""A wire between client and server that can lose what the server was told, or what it answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from events.rights import inbox
from tests.log_server import LogServer


class Wire:
    """Forwards bytes; drops, once, the chunk that holds what is to be lost, and cuts the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._serving: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.lose = {"question": b"", "answer": b""}
        self.cuts = 0

    async def begin(self) -> int:
        """Listen; returns the port."""
        self._listening = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return int(self._listening.sockets[0].getsockname()[1])

    async def cut(self) -> None:
        """Cut all connections, and take no more."""
        self._listening.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def stall(self) -> None:
        """Let nothing through from now on, and leave every connection open."""
        self._flows.clear()

    def flow(self) -> None:
        """Let through what came meanwhile, and what comes."""
        self._flows.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(task := asyncio.ensure_future(self._serve(reader, writer)))
        await asyncio.wait({task})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return writer.close()
        ways = [
            asyncio.ensure_future(self._pump(reader, far_writer, "question")),
            asyncio.ensure_future(self._pump(far_reader, writer, "answer")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            try:
                await asyncio.gather(*ways, return_exceptions=True)
            finally:  # a cut meanwhile leaves nothing open
                for end in (writer, far_writer):
                    end.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, which: str) -> None:
        while chunk := await source.read(1 << 16):
            if (marker := self.lose[which]) and marker in chunk:
                self.lose[which] = b""
                self.cuts += 1
                return
            await self._flows.wait()
            sink.write(chunk)
            await sink.drain()


@asynccontextmanager
async def over_wire(server: LogServer, user: str = "cli") -> AsyncIterator[tuple[Wire, Client]]:
    """A user's connection over a wire of its own."""
    wire = Wire(server.port)
    client = Client()

    async def ignore(_: Exception) -> None:
        """Losing the connection is what these tests are about."""

    port = await wire.begin()
    try:
        await client.connect(
            f"nats://127.0.0.1:{port}",
            user=user,
            password=f"p-{user}",
            inbox_prefix=inbox(user),
            error_cb=ignore,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
        )
        yield wire, client
    finally:
        await client.close()
        await wire.cut()
