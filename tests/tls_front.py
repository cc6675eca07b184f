"""An encrypted way to PostgreSQL, for a server whose build speaks no TLS: a terminator in front of it.

It answers PostgreSQL's request for encryption, demands a certificate of the client, and passes everything on.
Who speaks in the open gets PostgreSQL's own refusal.
"""

import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from pathlib import Path

from tests.certificates import Pair

ENCRYPT = 80877103  # the protocol's number of that request
REFUSAL = b"SFATAL\0VFATAL\0C28000\0Mno encryption\0\0"


class TlsFront:
    """Listens on a free port of this machine; `close` ends it."""

    def __init__(self, upstream: tuple[str, int], ca: Path, server: Pair) -> None:
        self._upstream = upstream
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server.cert, server.key)
        self._context.load_verify_locations(ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if struct.unpack("!ll", client.recv(8, socket.MSG_WAITALL))[1] != ENCRYPT:
                client.sendall(b"E" + struct.pack("!l", len(REFUSAL) + 4) + REFUSAL)
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as secured,
                socket.create_connection(self._upstream) as server,
            ):
                _pass_on(secured, server)


def _pass_on(secured: ssl.SSLSocket, server: socket.socket) -> None:
    """Pass everything both ways until one side ends; one thread, for TLS is not to be shared by two."""
    while True:
        ready = [secured] if secured.pending() else select.select([secured, server], [], [])[0]
        for source in ready:
            if not (data := source.recv(65536)):
                return
            (server if source is secured else secured).sendall(data)
