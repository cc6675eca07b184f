"""Where the gateway listens, and how it is reached there."""

import asyncio
import errno
import ipaddress
import socket
import ssl

import structlog
from aiohttp import web

from services.gateway.connections import GatewayRunner
from services.runtime.listening_settings import LOOPBACK, MOST_CONNECTIONS
from services.runtime.settings import Settings

IDLE_SECONDS = 75.0  # longer than proxies keep theirs, or they would send on a connection that just ended
HANDSHAKE_SECONDS = 10.0  # for whoever connects and says nothing, or goes on too slowly

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


class NoSuchAddress(Exception):  # noqa: N818 -- what is wrong
    """This machine has no such address."""

    def __init__(self, host: str) -> None:
        """Name the address, and what to give instead."""
        super().__init__(f"APS_HOST={host}: this machine has no such address; 0.0.0.0 stands for all it has")


def url_of(settings: Settings) -> str:
    """Return how the gateway is reached from this machine."""
    host = settings.host
    if _is_every(host):
        host = "::1" if ":" in host else LOOPBACK
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def port_to_use(settings: Settings) -> int:
    """Return the port, any free one where 0 is wanted. Raises `PortInUse`, `NoSuchAddress`."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            raise _explained(problem, settings) from problem
        port: int = probe.getsockname()[1]
        return port


def runner_of(
    app: web.Application, idle_seconds: float = IDLE_SECONDS, most: int = MOST_CONNECTIONS
) -> web.AppRunner:
    """Return what serves an application.

    A connection on which no whole request comes in a time is ended; of one address there are `most` at once.
    """
    return GatewayRunner(app, idle_seconds, most)


class Site(web.BaseSite):
    """One address; a connection that is not encrypted in a time is ended."""

    __slots__ = ("_host", "_port", "_seconds")

    def __init__(
        self,
        runner: web.AppRunner,
        address: tuple[str, int],
        context: ssl.SSLContext | None,
        handshake_seconds: float = HANDSHAKE_SECONDS,
    ) -> None:
        """`context` encrypts; None is in the open."""
        super().__init__(runner, ssl_context=context)
        self._host, self._port = address
        self._seconds = None if context is None else handshake_seconds

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None  # noqa: S101 -- the runner was set up
        # aiohttp's own site gives no bound to a handshake, so asyncio's of a minute would hold
        self._server = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=self._seconds,
            backlog=self._backlog,
        )


async def listen(runner: web.AppRunner, settings: Settings, context: ssl.SSLContext | None) -> None:
    """Answer at the settings' address, encrypted by `context`. Raises `PortInUse`, `NoSuchAddress`."""
    try:
        await Site(runner, (settings.host, settings.port), context).start()
    except OSError as problem:
        raise _explained(problem, settings) from problem
    for address in runner.addresses:
        log.info("listening", url=url_of(settings.model_copy(update={"port": address[1]})))


def _explained(problem: OSError, settings: Settings) -> Exception:
    match problem.errno:
        case errno.EADDRINUSE:
            return PortInUse(settings.port)
        case errno.EADDRNOTAVAIL:
            return NoSuchAddress(settings.host)
        case _:
            return problem


def _is_every(host: str) -> bool:
    return host != "localhost" and ipaddress.ip_address(host).is_unspecified
