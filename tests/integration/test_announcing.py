"""Services answer to discovery while the connection to NATS goes and comes."""

import pytest

from services.runtime.announcing import announced
from services.runtime.answering import copies
from tests.log_server import LogServer
from tests.lossy_wire import over_wire

INSTANCE = "qa@here/1"


@pytest.mark.slow
async def test_a_connection_lost_while_a_service_announces_itself_does_not_end_it(server: LogServer) -> None:
    async with over_wire(server, "qa") as (wire, connection), server.connection("cli") as asking:
        wire.lose["question"] = b"PING\r\n"  # of the look whether the server heard
        async with announced(connection, "qa", "a test", INSTANCE):
            assert wire.cuts == 1
            assert await copies(asking, 0.5) == {"qa": (INSTANCE,)}
        assert await copies(asking, 0.5) == {}


async def test_a_service_that_ends_while_nats_is_away_ends_soon_and_with_what_ended_it(
    server: LogServer,
) -> None:
    async with over_wire(server, "qa") as (wire, connection):
        with pytest.raises(ZeroDivisionError):
            async with announced(connection, "qa", "a test", INSTANCE):
                await wire.cut()
                raise ZeroDivisionError
