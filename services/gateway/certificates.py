"""The certificate that the gateway shows: the one in the files now, also where it was renewed meanwhile.

Rules
1. Who connects is shown what was read last; who is connected goes on under what he was shown.
2. Files that hold no certificate with its key change nothing, and are told of once, until they change again:
   a renewal may write one before the other.
"""

import asyncio
import ssl
from pathlib import Path

import structlog

from services.runtime.settings import Settings
from services.runtime.tls import UnusableCertificate

LOOK_SECONDS = 10.0

log = structlog.get_logger()
Stamp = tuple[tuple[int, int, int] | None, ...]


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


class Certificates:
    """What is shown by `context`, which is the same for as long as the gateway listens."""

    def __init__(
        self, settings: Settings, context: ssl.SSLContext, look_seconds: float = LOOK_SECONDS
    ) -> None:
        """`context` is of the settings' files, as `certificate` has it."""
        self.context = context
        self._settings = settings
        self._look_seconds = look_seconds
        self._seen = self._stamp()
        context.sni_callback = self._show  # called for every connection, also where no name is asked for
        self._present = context

    async def run(self) -> None:
        """Look for a new certificate until cancelled."""
        while True:
            await asyncio.sleep(self._look_seconds)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take what is in the files where they changed."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            present = certificate(self._settings)
        except UnusableCertificate as problem:
            log.warning("the certificate is shown that was there before", problem=str(problem))
            return
        if present is not None:
            self._present = present
            log.info("a new certificate is shown", file=str(self._settings.tls_cert))

    def _show(self, connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._present

    def _stamp(self) -> Stamp:
        return tuple(_stamp(file) for file in (self._settings.tls_cert, self._settings.tls_key) if file)


def certificates(settings: Settings) -> Certificates | None:
    """Return what the gateway shows; None where connections are plain. Raises `UnusableCertificate`."""
    context = certificate(settings)
    return None if context is None else Certificates(settings, context)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does; None while it is not there, as in the middle of a renewal."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
