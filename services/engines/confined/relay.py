"""The small program beside an engine: passes bytes from a loopback port to a unix socket.

    python -I -S relay.py PORT SOCKET

It runs inside the sandbox, alone in its file with the standard library, and knows nothing of what it passes.
"""

import socket
import sys
import threading

CHUNK = 65_536
WAITING = 64


def main() -> None:
    """Pass connections until the sandbox ends."""
    port, path = int(sys.argv[1]), sys.argv[2]
    with socket.create_server(("127.0.0.1", port), backlog=WAITING) as server:
        while True:
            near, _ = server.accept()
            threading.Thread(target=_connect, args=(near, path), daemon=True).start()


def _connect(near: socket.socket, path: str) -> None:
    far = socket.socket(socket.AF_UNIX)
    with near, far:
        try:
            far.connect(path)
        except OSError:  # the proxy is gone: the caller sees a closed connection
            return
        back = threading.Thread(target=_pass, args=(far, near), daemon=True)
        back.start()
        _pass(near, far)
        back.join()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one side ends; what one side broke off breaks off for the other."""
    try:
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            _break(each)


def _break(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # already gone
        return


if __name__ == "__main__":
    main()
