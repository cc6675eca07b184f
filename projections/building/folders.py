"""Who folds piles: processes of their own where there is much to fold, else this one.

The processes know only the views of the catalogue; whoever brings others has them folded here.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from events.store import Broken
from projections.building import folding
from projections.building.folding import folded_pile
from projections.building.sheets import Sheet
from projections.views.catalogue import VIEWS

if TYPE_CHECKING:
    from projections.building.piles import Extents, Piles
    from projections.step import View

FEW_PILES = 8  # a process takes as long to start as these take to fold
MOST_PROCESSES = 2  # the database writes what they fold, and one connection takes no more
LONGEST_ANSWER = 64 * 1024 * 1024  # of its first line, where every event of a pile is poisoned


class Folder(Protocol):
    """Folds one pile after the other."""

    async def fold(self, pile: Extents) -> Sheet:
        """Return what a pile comes to. Raises `Broken`."""
        ...


class FoldingEnded(OSError):  # noqa: N818 -- what happened
    """A process that folded ended before its work was done: killed, or out of memory. Begin again."""


class HereFolder:
    """Folds in a thread of this process."""

    def __init__(self, piles: Piles, views: Sequence[View]) -> None:
        """The piles stay the caller's."""
        self._descriptor = piles.descriptor
        self._views = views

    async def fold(self, pile: Extents) -> Sheet:
        """Fold one pile."""
        return await asyncio.to_thread(folded_pile, self._descriptor, pile, self._views)


class ProcessFolder:
    """Has a process fold."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """The process stays the caller's."""
        self._process = process

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def fold(self, pile: Extents) -> Sheet:
        """Fold one pile."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 -- a pipe was asked for
        assert told is not None  # noqa: S101 -- a pipe was asked for
        try:
            asked.write(folding.request_of(pile))
            await asked.drain()
            answer = folding.read_answer(await told.readuntil())
            content = await told.readexactly(sum(answer.sizes))
        except (ConnectionError, asyncio.IncompleteReadError) as problem:
            raise FoldingEnded(
                f"a process that folds ended with {await self._process.wait()} before its work was done"
            ) from problem
        if answer.broken:
            raise Broken(answer.broken)
        return folding.sheet_from(answer, content)


def folders(
    piles: Piles, views: Sequence[View], few: int = FEW_PILES
) -> Sequence[AbstractAsyncContextManager[Folder]]:
    """Return who may fold the piles side by side; fewer than `few` are folded here."""
    if piles.count < few or not _are_known(views):
        return [_here(piles, views)]
    return [_process(piles, views) for _ in range(min(MOST_PROCESSES, os.cpu_count() or 1))]


def _are_known(views: Sequence[View]) -> bool:
    return list(views) == [view for view in VIEWS if view in views]


@asynccontextmanager
async def _here(piles: Piles, views: Sequence[View]) -> AsyncIterator[Folder]:
    yield HereFolder(piles, views)


@asynccontextmanager
async def _process(piles: Piles, views: Sequence[View]) -> AsyncIterator[Folder]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        folding.__name__,
        str(piles.descriptor),
        *(view.name for view in views),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_ANSWER,
        pass_fds=[piles.descriptor],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
    )
    try:
        yield ProcessFolder(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
