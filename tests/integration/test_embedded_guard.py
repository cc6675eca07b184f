"""What the guard of the embedded servers does for a server that lives and works no more, or says too much."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats.errors
from nats.aio.client import Client

import nats
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ending import end
from tests.integration.test_embedded import log_in

BLOCK = 8 * 1024**2  # what the server puts into one file of a stream, and more than one log should hold
PATIENCE = 60.0


@asynccontextmanager
async def as_admin(servers: EmbeddedServers) -> AsyncIterator[Client]:
    password = servers.nats_password("admin")
    client = await nats.connect(
        servers.nats_url,
        user="admin",
        password=password,
        reconnect_time_wait=0.05,
        max_reconnect_attempts=-1,
    )
    try:
        yield client
    finally:
        await client.close()


async def written(client: Client, size: int) -> bool:
    """Whether a stream takes so many bytes."""
    stream, piece = client.jetstream(), os.urandom(BLOCK // 16)
    try:
        for _ in range(0, size, len(piece)):
            await stream.publish("words", piece, timeout=2)
    except (nats.errors.Error, TimeoutError):
        return False
    return True


async def test_a_server_that_switched_its_log_off_is_started_again(
    home: Path, nats_configuration: Path
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with (
        EmbeddedServers(home, configuration=nats_configuration) as servers,
        as_admin(servers) as client,
        asyncio.timeout(PATIENCE),
    ):
        await client.jetstream().add_stream(name="WORDS", subjects=["words"])
        (messages,) = (servers.place / "nats").rglob("WORDS/msgs")
        messages.chmod(0o500)
        while await written(client, BLOCK):
            pass
        messages.chmod(0o700)
        assert await servers._nats.stuck() == "switched its log off"
        watching = asyncio.create_task(servers.watch(told.put_nowait))
        assert await told.get() == "NATS switched its log off; starting it again"
        assert await told.get() == "NATS is back"
        while not await written(client, 1):
            pass
        await end(watching)


async def test_a_living_server_goes_on_in_a_log_that_was_shortened(
    home: Path, nats_configuration: Path
) -> None:
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        log = home / "logs" / "nats-server.log"
        with log.open("ab") as file:
            file.write(bytes(BLOCK))
        await servers._shorten_logs()
        assert "Authorization Violation" in await log_in(servers, "admin", "wrong")
        assert 0 < log.stat().st_size < BLOCK
        assert "authentication error" in log.read_text()
        assert (home / "logs" / "nats-server.1.log").stat().st_size == BLOCK


async def test_a_log_that_cannot_be_shortened_is_told_and_the_servers_are_watched_on(
    home: Path, nats_configuration: Path
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with EmbeddedServers(home, configuration=nats_configuration) as servers:
        with (home / "logs" / "postgres.log").open("ab") as file:
            file.write(bytes(BLOCK))
        (home / "logs" / "postgres.1.log").mkdir()
        watching = asyncio.create_task(servers.watch(told.put_nowait))
        async with asyncio.timeout(PATIENCE):
            assert (await told.get()).startswith("the logs of the servers cannot be shortened: ")
        assert not watching.done()
        await end(watching)
