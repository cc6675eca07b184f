"""Room on the disks: how much is left, and what waits when there is too little.

Rules
1. A full disk is a reason to wait, never a failure: no fact is recorded because of it.
2. Below `RESERVE` nothing new is begun. PostgreSQL ends when it cannot write the next 16 MiB of its own log.
3. A run of a target's code during which the disk was full proves nothing, whatever it ended with.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from services.sandbox.port import MIB, Command, Hear, Limits, Result, Sandbox

RESERVE = 32 * MIB
LOOK_SECONDS = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What git, pip and PostgreSQL say when they met it, each in their own error.
_SAID = tuple(os.strerror(number) for number in _FULL)


# Says which disk is full, or None.
Look = Callable[[], str | None]


class NoRoom(Exception):  # noqa: N818 -- what is missing
    """The disk is full: the message says which. Nothing was recorded; do it again when there is room."""


def shortage(folders: Iterable[Path]) -> str | None:
    """Say which disk of `folders` is full and how much it has left; None when there is room on all."""
    for folder in folders:
        place = _existing(folder)
        found = os.statvfs(place)
        free = found.f_bavail * found.f_frsize
        if free < RESERVE:
            return f"the disk that holds {folder} is full: {free // MIB} MB free"
        if found.f_files and not found.f_favail:
            return f"the disk that holds {folder} is full: it can hold no more files"
    return None


def refuse_without_room(folders: Iterable[Path]) -> None:
    """Raise `NoRoom` with the cure when nothing new can begin."""
    if (short := shortage(folders)) is not None:
        raise NoRoom(f"{short}; free {RESERVE // MIB} MB or more there, then run the same command again")


def is_full(problem: BaseException) -> bool:
    """Whether a full disk is behind a problem: as its own words, its cause, or a member of its group."""
    return any(_tells_full(one) for one in _behind(problem, set()))


async def watch_room(look: Look, tell: Callable[[str], None]) -> None:
    """Say once when a disk is full, and once when there is room again; until cancelled.

    A disk that cannot be asked for a while is told of too, and taken to be as it last was.
    """
    look = _lasting(look, tell)
    while True:
        tell(f"{await until_full(look)}; waiting until {RESERVE // MIB} MB are free")
        await until_room(look)
        tell("there is room on the disk again; going on")


async def until_room(look: Look) -> None:
    """Return once there is room."""
    while look() is not None:  # noqa: ASYNC110 -- a disk tells nobody that it was emptied
        await asyncio.sleep(LOOK_SECONDS)


async def until_full(look: Look) -> str:
    """Return what `look` says once there is no room."""
    while (short := look()) is None:  # noqa: ASYNC110 -- a disk tells nobody that it was filled
        await asyncio.sleep(LOOK_SECONDS)
    return short


class RoomySandbox:
    """A sandbox whose runs are ended, and give no result, when a disk is full meanwhile."""

    def __init__(self, inner: Sandbox, look: Look) -> None:
        self.level = inner.level
        self._inner = inner
        self._look = look

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        """Run as the sandbox inside does. Raises `NoRoom`."""
        self._refuse_without_room()
        running = asyncio.ensure_future(self._inner.run(command, limits, hear))
        filling = asyncio.ensure_future(until_full(self._look))
        try:
            await asyncio.wait({running, filling}, return_when=asyncio.FIRST_COMPLETED)
            self._refuse_without_room()
            return await running
        finally:
            for task in (running, filling):
                task.cancel()
            await asyncio.gather(running, filling, return_exceptions=True)

    def hand_over(self, path: Path) -> None:
        """Hand over as the sandbox inside does."""
        self._inner.hand_over(path)

    def _refuse_without_room(self) -> None:
        if (short := self._look()) is not None:
            raise NoRoom(short)


def _lasting(look: Look, tell: Callable[[str], None]) -> Look:
    """Let a look that fails answer as the one before it did; each new reason is told."""
    short: str | None = None
    said = ""

    def answer() -> str | None:
        nonlocal short, said
        try:
            short, said = look(), ""
        except OSError as problem:
            if str(problem) != said:
                said = str(problem)
                tell(f"how much room the disk has cannot be seen: {said}; looking again")
        return short

    return answer


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _tells_full(problem: BaseException) -> bool:
    if isinstance(problem, NoRoom) or (isinstance(problem, OSError) and problem.errno in _FULL):
        return True
    return any(said in str(problem) for said in _SAID)


def _behind(problem: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if problem is None or id(problem) in seen:
        return
    seen.add(id(problem))
    yield problem
    yield from _behind(problem.__cause__, seen)
    yield from _behind(problem.__context__, seen)
    if isinstance(problem, BaseExceptionGroup):
        for member in problem.exceptions:
            yield from _behind(member, seen)
