"""A network namespace with two wires to it, each of which can be cut: one for clients, one for servers."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Wire:
    """A pair of ends; the far one is in the namespace."""

    namespace: str
    far: str
    near_address: str
    far_address: str

    def cut(self) -> None:
        """Let nothing through any more, silently."""
        ip("-n", self.namespace, "link", "set", self.far, "down")

    def mend(self) -> None:
        """Let everything through again."""
        ip("-n", self.namespace, "link", "set", self.far, "up")


@dataclass(frozen=True)
class Apart:
    """A network of its own for one program, reached over two wires."""

    namespace: str
    clients: Wire
    servers: Wire

    @property
    def within(self) -> tuple[str, ...]:
        """How to run a program in it."""
        return ("ip", "netns", "exec", self.namespace)


def ip(*words: str) -> None:
    """Run `ip`; raise RuntimeError with what it said."""
    done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def network_apart() -> Iterator[Apart]:
    """Make the namespace for the time of the block. Raises RuntimeError where this is not allowed."""
    number = os.getpid() % 250
    namespace = f"aps-{os.getpid()}"
    ip("netns", "add", namespace)
    try:
        ip("-n", namespace, "link", "set", "lo", "up")
        yield Apart(namespace, _wire(namespace, "c", number, 0), _wire(namespace, "s", number, 4))
    finally:
        ip("netns", "del", namespace)  # the wires go with it


def _wire(namespace: str, kind: str, number: int, first: int) -> Wire:
    near, far = f"a{os.getpid() % 10**7}{kind}n", f"a{os.getpid() % 10**7}{kind}f"
    near_address, far_address = (f"10.213.{number}.{first + n}" for n in (1, 2))
    ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", namespace)
    ip("addr", "add", f"{near_address}/30", "dev", near)
    ip("link", "set", near, "up")
    ip("-n", namespace, "addr", "add", f"{far_address}/30", "dev", far)
    ip("-n", namespace, "link", "set", far, "up")
    return Wire(namespace, far, near_address, far_address)
