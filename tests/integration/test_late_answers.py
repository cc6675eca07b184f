"""A connection to NATS over which nothing comes for a while."""

import asyncio

import nats.errors
import pytest

from events.rights import inbox
from services.runtime.nats_connection import close_nats, open_nats
from tests.log_server import LogServer
from tests.lossy_wire import Wire


async def test_a_connection_that_was_silent_is_of_use_as_soon_as_it_is_not(server: LogServer) -> None:
    wire = Wire(server.port)

    async def complain(problem: Exception) -> None:
        raise AssertionError(problem)

    url = f"nats://127.0.0.1:{await wire.begin()}"
    user = {"user": "cli", "password": "p-cli", "inbox_prefix": inbox("cli")}
    connection = await open_nats(url, None, complain, **user, allow_reconnect=False)
    try:
        wire.stall()
        with pytest.raises(nats.errors.Error):
            await connection.flush(1)
        wire.flow()
        async with asyncio.timeout(20):
            answer = await connection.request("$JS.API.STREAM.INFO.APS", b"", timeout=10)
        assert b"APS" in answer.data
    finally:
        await close_nats(connection)
        await wire.cut()
