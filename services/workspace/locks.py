"""Locks between processes that end with the process that holds them."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock file `path` until it is closed, None when another holds it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if _is_at(handle, path):
            return handle
        os.close(handle)  # its last holder removed the file between our opening and locking it


def give_up(handle: int, path: Path) -> None:
    """Release a lock and remove its file, while it is held: who opened it meanwhile sees that it is gone."""
    if _is_at(handle, path):
        path.unlink()
    os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


@asynccontextmanager
async def locked(path: Path, pause: float = 0.02) -> AsyncIterator[None]:
    """Hold the lock file `path`, looking again every `pause` seconds while another holds it."""
    while (handle := try_lock(path)) is None:  # noqa: ASYNC110 -- the holder may be another process: no event tells
        await asyncio.sleep(pause)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is in the block for this folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
