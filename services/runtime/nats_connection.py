"""Opens connections to NATS: which stay, and which are encrypted where that is asked for.

Rules
1. On an encrypted connection nothing is sent, credentials least of all, before the server has proved itself;
   a server that offers no encryption is refused. The client library alone would go on in the open.
2. A server that is away is waited for. One that fails that proof is refused at once: waiting mends nothing.
3. A server that answers late is listened to as before. The client library alone would end its reading over
   the answer to a flush that nobody waits for any more, and hear nothing until it took the server for lost.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import nats.errors
from nats.aio.client import Client

from services.runtime.tls import Tls, cipher_of

CLOSE_SECONDS = 5.0
SOCKETS = ("ws", "wss")  # encrypted, or not, before NATS says a word

Complain = Callable[[Exception], Awaitable[None]]


class Unencrypted(nats.errors.Error):
    """The server offers no encryption, and the settings ask for it."""

    def __str__(self) -> str:
        """Say so."""
        return "it offers no encryption, which the settings ask for (tls://, or a NATS_TLS setting)"


class LastingClient(Client):
    """A client that goes on after an answer which came too late."""

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():  # its flush gave up; to answer that would be an error
            self._pongs[0] = asyncio.Future()
        await super()._process_pong()


class EncryptedClient(LastingClient):
    """A client that leaves a server which would have it speak in the open, the first and every later time."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        server = self._current_server
        encrypted = info.get("tls_required") or (server is not None and server.uri.scheme in SOCKETS)
        if initial_connection and not encrypted:
            if self._transport is not None:
                # The library would leave it open when it tries again.
                self._transport.close()  # type: ignore[no-untyped-call]  # nats-py gives it no types
            raise Unencrypted
        await super()._process_info(info, initial_connection)


async def open_nats(urls: str, tls: Tls | None, complain: Complain, **options: Any) -> Client:
    """Connect to one of `urls` (by comma), and stay connected however often the server goes away.

    Raises OSError (as `ssl.SSLError`), `nats.errors.Error` or TimeoutError where the server is refused.
    """
    client = EncryptedClient() if tls else LastingClient()
    refused: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def told(problem: Exception) -> None:
        if isinstance(problem, ssl.SSLError | Unencrypted) and not refused.done():
            refused.set_result(problem)
        await complain(problem)

    if tls is not None:
        options |= {"tls": tls.context(), **({"tls_hostname": tls.name} if tls.name else {})}
    opening = asyncio.ensure_future(
        client.connect([url.strip() for url in urls.split(",")], error_cb=told, **options)
    )
    try:
        await asyncio.wait((opening, refused), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            raise refused.result()
        await opening
    except BaseException:
        opening.cancel()
        await close_nats(client)
        raise
    return client


async def close_nats(connection: Client) -> None:
    """Leave NATS; a server that is gone, or never answers, is left all the same."""
    with suppress(ConnectionError, TimeoutError, nats.errors.Error):
        await asyncio.wait_for(connection.close(), CLOSE_SECONDS)


def encryption_of(connection: Client) -> str | None:
    """Return version and cipher of an encrypted connection, None for one in the open."""
    url = connection.connected_url
    if url is not None and url.scheme in SOCKETS:
        return "TLS of the web socket" if url.scheme == "wss" else None
    writer = getattr(connection._transport, "_io_writer", None)  # no public part of the library tells
    secured = writer.get_extra_info("ssl_object") if writer is not None else None
    return cipher_of(secured)
