"""The addresses of a data folder's servers: chosen once, kept, and changed only when taken."""

import secrets
import socket
from pathlib import Path

from schemas.base import Frozen
from services.runtime.data_folder import write_durably

LOOPBACK = "127.0.0.1"
# Below the ports that systems hand out to outgoing connections, which come and go by themselves.
_LOWEST, _HIGHEST = 20000, 32000


class Addresses(Frozen):
    """The ports, all on loopback, and the name by which the NATS server is told from a stranger's."""

    nats: int
    monitoring: int
    postgres: int
    name: str


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: connections of a server that was killed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(*taken: int) -> int:
    """Return a port nobody listens on, none of `taken`."""
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if port not in taken and is_free(port):
            return port


def load_addresses(file: Path) -> Addresses:
    """Return the kept addresses, chosen and kept now if there are none."""
    if file.exists():
        return Addresses.model_validate_json(file.read_bytes())
    nats = free_port()
    monitoring = free_port(nats)
    addresses = Addresses(
        nats=nats,
        monitoring=monitoring,
        postgres=free_port(nats, monitoring),
        name=f"aps-{secrets.token_hex(8)}",
    )
    keep_addresses(file, addresses)
    return addresses


def keep_addresses(file: Path, addresses: Addresses) -> None:
    """Keep the addresses for the next start."""
    write_durably(file, addresses.model_dump_json(indent=1) + "\n")
