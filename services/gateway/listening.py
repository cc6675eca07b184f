"""Where the gateway listens, how it is reached there, and under which certificate."""

import errno
import ipaddress
import socket
import ssl

import structlog
from aiohttp import web

from services.gateway.connections import GatewayRunner
from services.runtime.listening_settings import LOOPBACK, MOST_CONNECTIONS
from services.runtime.settings import Settings
from services.runtime.tls import UnusableCertificate

IDLE_SECONDS = 75.0  # longer than proxies keep theirs, or they would send on a connection that just ended

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


def certificate(settings: Settings) -> ssl.SSLContext | None:
    """Return what encrypts the connections to the gateway; None where they are plain.

    Raises `UnusableCertificate`.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password would be asked for on the terminal: a key that needs one is refused instead.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except OSError as problem:
        pair = f"APS_TLS_CERT={settings.tls_cert} and APS_TLS_KEY={settings.tls_key}"
        raise UnusableCertificate(
            f"{pair} are no certificate with its key: {problem}; give both as PEM, the key without a password"
        ) from problem
    return context


def runner_of(
    app: web.Application, idle_seconds: float = IDLE_SECONDS, most: int = MOST_CONNECTIONS
) -> web.AppRunner:
    """Return what serves an application.

    A connection on which no whole request comes in a time is ended; of one address there are `most` at once.
    """
    return GatewayRunner(app, idle_seconds, most)


async def listen(runner: web.AppRunner, settings: Settings) -> None:
    """Answer at the settings' address. Raises `PortInUse`, `NoSuchAddress`, `UnusableCertificate`."""
    context = certificate(settings)
    try:
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=context).start()
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
