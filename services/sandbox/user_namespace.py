"""A user namespace for one run: what root starts in it counts its processes apart from everybody else's.

Users are who they were: every number maps to itself, so root may do to files what it could before. A fork
bomb takes nothing from the runs beside it, for the kernel counts processes by user and namespace.
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.sandbox.port import NoSandbox

HOLDER = ("unshare", "--user", "cat")  # once `cat` answers, it is in a namespace of its own
MAPS = ("uid_map", "gid_map")


@asynccontextmanager
async def user_namespace() -> AsyncIterator[str]:
    """Give the path of a new user namespace, there for the time of the block. Raises `NoSandbox`."""
    making = asyncio.ensure_future(asyncio.to_thread(_made))
    try:
        await asyncio.shield(making)
        yield f"/proc/{os.getpid()}/fd/{making.result()}"
    finally:
        os.close(await making)


def entering(namespace: str, program: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs a program in a namespace, and dies with us from its first moment."""
    alive = 'test "$PPID" = "$0" && exec "$@"'  # else we died before the signal was asked for
    return (
        *("setpriv", "--pdeathsig", "KILL", "sh", "-c", alive, str(os.getpid())),
        *("nsenter", f"--user={namespace}", "--", *program),
    )


def _made() -> int:
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
