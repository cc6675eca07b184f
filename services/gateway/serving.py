"""Runs the gateway: its connections, its port, its answer to service discovery."""

import asyncio
import errno
import socket
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from projections.queries import Views
from services.access.sessions import Signer
from services.gateway.app import application
from services.gateway.desk import GatewayDesk
from services.gateway.health import Asker
from services.gateway.live.feed import Feed
from services.gateway.live.position import ViewsPosition
from services.gateway.metering.office import metering
from services.gateway.redelivering import Redelivery
from services.gateway.watching import HealthWatch
from services.runtime.ending import end
from services.runtime.ground import Ground, actor
from services.runtime.role import announce
from services.runtime.session_key import session_key

NAME = "gateway"
PURPOSE = "Answers over HTTP: health of every component"
HOST = "127.0.0.1"
CLOSING_SECONDS = 2.0
CONNECTIONS = 8

log = structlog.get_logger()


class PortInUse(Exception):  # noqa: N818 -- what is wrong
    """Another program listens on the gateway's port."""

    def __init__(self, port: int) -> None:
        """Name the port, and how to choose another."""
        super().__init__(
            f"port {port} is taken by another program; choose another: aps up --port {port + 1},"
            " or APS_PORT in the settings (0 takes any)"
        )
        self.port = port


async def run_gateway(ground: Ground) -> None:
    """Serve until cancelled. Raises `PortInUse`."""
    async with (
        ground.log(NAME) as (connection, book),
        # No connection at first: the gateway answers while the database is away, and says so.
        ground.pool(0, CONNECTIONS, 2) as pool,
    ):
        views = Views(pool)
        feed, position = Feed(book.store), ViewsPosition(pool, views)
        signer = Signer(session_key(ground.settings))
        asker = Asker(ground, connection, book.store, pool)
        watch = HealthWatch(asker)
        metered = metering(connection, pool)
        letters = Redelivery(connection, book.clock)
        desk = GatewayDesk(ground, book, views, signer, feed, position, asker, watch, metered, letters)
        runner = web.AppRunner(application(desk), shutdown_timeout=CLOSING_SECONDS)
        async with AsyncExitStack() as closing:  # each is closed, also when told again to hurry
            closing.push_async_callback(letters.end)
            await runner.setup()
            closing.push_async_callback(runner.cleanup)
            following = [asyncio.create_task(one.run()) for one in (feed, position, watch, metered.counting)]
            for task in following:
                closing.push_async_callback(end, task)
            await _listen(runner, ground.settings.port)
            service = await announce(connection, NAME, PURPOSE, actor(NAME))
            closing.push_async_callback(service.stop)
            ended, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
            ended.pop().result()


def port_to_use(wanted: int) -> int:
    """Return the port, any free one where 0 is wanted. Raises `PortInUse`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                raise PortInUse(wanted) from problem
            raise
        port: int = probe.getsockname()[1]
        return port


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise PortInUse(port) from problem
        raise
    for address in runner.addresses:
        log.info("listening", url=f"http://{address[0]}:{address[1]}")
