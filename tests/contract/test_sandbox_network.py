"""What a command without network tries, and fails to reach, in every sandbox."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_sandbox import LEVELS, Cell, all_refused, cell_in


@pytest.fixture(params=LEVELS)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


async def test_tcp_to_the_hosts_loopback_is_refused(cell: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attempts = f"import socket\nrefused(socket.create_connection, ('127.0.0.1', {port}), 2)"
        await all_refused(cell, attempts)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_udp_reaches_no_one(cell: Cell) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        port = server.getsockname()[1]
        source = f"""
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b'out', ('127.0.0.1', {port}))
refused = False
try: client.sendto(b'out', ('192.0.2.1', 53))
except OSError: refused = True
print(refused)
"""
        result = await cell.python(source)
        assert result.stdout == b"True\n", result.stderr
        with pytest.raises(BlockingIOError):
            server.recv(16)


async def test_names_are_not_resolved(cell: Cell) -> None:
    await all_refused(cell, "import socket\nrefused(socket.getaddrinfo, 'example.org', 80)")


async def test_no_network_interface_but_its_own_loopback(cell: Cell) -> None:
    result = await cell.python("import socket; print([name for _, name in socket.if_nameindex()])")
    assert "lo" in result.stdout.decode()
    assert "eth" not in result.stdout.decode()
    route = await cell.run("cat", "/proc/net/route")
    assert len(route.stdout.splitlines()) <= 1  # the heading


async def test_abstract_and_ordinary_unix_sockets_of_the_host_are_out_of_reach(cell: Cell) -> None:
    name = f"\0aps-test-{os.getpid()}"
    path = cell.home / "socket"
    with listening_unix(name), listening_unix(str(path)):
        path.chmod(0o777)
        cell.home.chmod(0o755)
        attempts = f"""
import socket
for address in ({name!r}, {str(path)!r}, '/run/docker.sock', '/run/dbus/system_bus_socket'):
    refused(socket.socket(socket.AF_UNIX).connect, address)
"""
        await all_refused(cell, attempts)


async def test_raw_sockets_are_refused(cell: Cell) -> None:
    attempts = "import socket\nrefused(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)"
    attempts += "\nrefused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)"
    await all_refused(cell, attempts)


@contextlib.contextmanager
def listening_unix(address: str) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        yield
