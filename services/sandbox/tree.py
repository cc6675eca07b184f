"""How much memory a process and its descendants hold, read from /proc.

Resident sizes count shared pages once per process: a cheap upper bound. Only when it is beyond the
limit is the proportional size (each page once) read, which decides.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
GONE = (FileNotFoundError, ProcessLookupError)  # a process ended while it was being read


def exceeds(root: int, limit: int) -> bool:
    """Say whether the tree under process `root` holds more than `limit` bytes."""
    pids = tuple(descendants(root))
    if sum(map(_resident, pids)) <= limit:
        return False
    return sum(map(_proportional, pids)) > limit


def descendants(root: int) -> Iterator[int]:
    """Yield `root` and every process below it."""
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        pending.extend(_children(pid))


def parent(pid: int) -> int | None:
    """Return the parent of a process, None when it is gone."""
    with suppress(*GONE):
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[1])
    return None


def _children(pid: int) -> Iterator[int]:
    with suppress(*GONE), os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            with suppress(*GONE):
                yield from map(int, Path(thread.path, "children").read_bytes().split())


def _resident(pid: int) -> int:
    with suppress(*GONE):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    return 0


def _proportional(pid: int) -> int:
    with suppress(PermissionError, *GONE):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)
