"""A user namespace for one run: what root starts in it counts its processes apart from everybody else's.

Users are who they were: every number maps to itself, so root may do to files what it could before. A fork
bomb takes nothing from the runs beside it, for the kernel counts processes by user and namespace.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from services.sandbox.port import NoSandbox

HOLDER = ("unshare", "--user", "cat")  # once `cat` answers, it is in a namespace of its own
MAPS = ("uid_map", "gid_map")


class UserNamespaces:
    """Gives each run a namespace of its own; the next is made ahead, while nobody waits for it."""

    def __init__(self, make: Callable[[], int]) -> None:
        """`make` opens a new namespace, or raises `NoSandbox`."""
        self._make = make
        self._makers = ThreadPoolExecutor(thread_name_prefix="user-namespace")
        self._ahead: Future[int] | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[int]:
        """Give a descriptor of a new namespace, open for the time of the block. Raises `NoSandbox`."""
        made = await _waited(self._taken() or self._makers.submit(self._make))
        try:
            yield made
        finally:
            os.close(made)
            self._ahead = self._ahead or self._makers.submit(self._make)

    def _taken(self) -> Future[int] | None:
        if self._ahead is None or not self._ahead.done():
            return None
        ahead, self._ahead = self._ahead, None
        return None if ahead.exception() else ahead  # what was wrong then need not be wrong now


async def _waited(making: Future[int]) -> int:
    try:
        return await asyncio.shield(asyncio.wrap_future(making))
    except asyncio.CancelledError:
        making.add_done_callback(_close)
        raise


def _close(making: Future[int]) -> None:
    if making.exception() is None:
        os.close(making.result())


def entering(namespace: int) -> tuple[str, ...]:
    """Return what a program is to be run by to be in a namespace.

    Bubblewrap could enter it by itself, but would leave its descriptor to the command.
    """
    return ("nsenter", f"--user=/proc/{os.getpid()}/fd/{namespace}", "--")


def new_user_namespace() -> int:
    """Return an open namespace; without any process it lasts as long as that is open."""
    pipe = subprocess.PIPE
    with subprocess.Popen(HOLDER, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as holder:
        assert holder.stdin and holder.stdout and holder.stderr  # noqa: S101 -- all piped
        try:
            holder.stdin.write(b"?")
            if not holder.stdout.read(1):
                raise NoSandbox(holder.stderr.read().decode(errors="replace").strip())
            for name in MAPS:
                Path(f"/proc/{holder.pid}/{name}").write_text(_same(name), "ascii")
            return os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as problem:
            raise NoSandbox(f"no user namespace: {problem}") from problem


def _same(name: str) -> str:
    """Map each range this namespace knows to itself: in a container it may be a part of all numbers."""
    ranges = (line.split() for line in Path(f"/proc/self/{name}").read_text("ascii").splitlines())
    return "\n".join(f"{inside} {inside} {count}" for inside, _, count in ranges)
