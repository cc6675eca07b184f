"""Advisory locks on files: who uses the servers, who starts them, and which of them lives.

The kernel releases them when their last holder ends, however it ends. They are `flock` locks, which
belong to the open file and so pass to a child: a server holds its lock as long as any of its
processes lives, zombies excepted, which makes the lock the one true sign of life.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.runtime.embedded.problem import ServerProblem

_POLL_SECONDS = 0.02


def open_lock(path: Path) -> int:
    """Return a file descriptor to lock; the caller closes it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock if nobody is in the way."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock exclusively."""
    descriptor = open_lock(path)
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def exclusive(path: Path, seconds: float) -> AsyncIterator[None]:
    """Hold the lock for the block. Raises ServerProblem when it is not free within `seconds`."""
    descriptor = open_lock(path)
    try:
        deadline = time.monotonic() + seconds
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ServerProblem(
                    f"another command has been starting or stopping the servers for {seconds:.0f} s ({path})"
                )
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
