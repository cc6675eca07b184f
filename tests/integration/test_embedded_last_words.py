"""A PostgreSQL that ends between letting somebody in and the first question is away, and no surprise."""

import asyncio
import struct
from functools import partial
from pathlib import Path

from services.runtime.embedded.addresses import LOOPBACK, Addresses
from services.runtime.embedded.postgres import PostgresServer

LAST_WORDS = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection due to unexpected postmaster exit\0\0"
PARAMETERS = {"server_version": "18.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


async def end_at_once(
    gone: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Let somebody in, and tell in the same breath that this is the end."""
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    await reader.readexactly(length - 4)
    said = [message(b"R", struct.pack("!i", 0))]
    said += [message(b"S", f"{name}\0{value}\0".encode()) for name, value in PARAMETERS.items()]
    said += [message(b"K", struct.pack("!ii", 1, 2)), message(b"Z", b"I"), message(b"E", LAST_WORDS)]
    writer.write(b"".join(said))
    await reader.read()
    writer.close()
    await writer.wait_closed()
    gone.set()


async def test_a_server_that_ends_while_it_is_asked_is_told_as_away(tmp_path: Path) -> None:
    gone = asyncio.Event()
    async with await asyncio.start_server(partial(end_at_once, gone), LOOPBACK, 0) as dying:
        port = dying.sockets[0].getsockname()[1]
        addresses = Addresses(nats=1, monitoring=2, postgres=port, name="dying")
        why = await PostgresServer(tmp_path, tmp_path, addresses, "password").wrong()
        await gone.wait()
    assert why is not None
    assert "in progress" in why  # the client's own words, of which its other errors are no kin
