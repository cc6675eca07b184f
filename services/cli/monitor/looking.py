"""Looks again and again: at the views when they moved, at the health and the dead letters every few seconds.

Rules
1. What cannot be read is told, and what was read before stays: a monitor is of most use when something is
   away.
2. Nothing is read twice that did not move: a board of thousands is read once for each move, and at most once
   a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import nats.errors

from events.jetstream.stream_reader import Stored, StreamReader
from events.store import Broken, Unavailable
from events.subjects import DEAD_LETTER_STREAM
from projections.views.task_board import TaskState
from services.cli.desk import Desk
from services.cli.monitor.picture import Picture, Seen, pictured
from services.gateway.health import Asker, Health, health
from services.runtime.claims import why_paused
from services.runtime.ground import now
from services.steering.letters import PAGE, folded

AWAY = (
    OSError,
    TimeoutError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    nats.errors.Error,
    Unavailable,
    Broken,
)


class Look:
    """What was seen last from a desk, and what kept from seeing more."""

    def __init__(self, desk: Desk) -> None:
        """Have seen nothing yet. The desk stays the caller's."""
        self._desk = desk
        self._asker = Asker(desk.ground, desk.connection, desk.book.store, desk.pool)
        self._letters: list[Stored] = []
        self._problems: dict[str, str] = {}
        self._seen = Seen()
        self._read_at = -1
        self._health: Health | None = None

    def picture(self) -> Picture:
        """Return the picture as it is now: time goes on where nothing else does."""
        return pictured(self._seen, self._health, now(), "; ".join(self._problems.values()))

    async def views(self) -> None:
        """Read the views, where they moved."""
        try:
            position = (await self._desk.views.checkpoint()).seq
            if position != self._read_at:
                self._seen = await self._read(position)
                self._read_at = position
            self._problems.pop("views", None)
        except AWAY as problem:
            self._problems["views"] = f"as of before: {str(problem) or type(problem).__name__}"

    async def health(self) -> None:
        """Ask every component, and look for dead letters."""
        self._health = await health(self._asker)
        try:
            await self._look_for_letters()
            self._problems.pop("letters", None)
        except AWAY as problem:
            told = str(problem) or type(problem).__name__
            self._problems["letters"] = f"dead letters as of before: {told}"

    async def _read(self, position: int) -> Seen:
        views = self._desk.views
        return replace(
            self._seen,
            position=position,
            paused=await why_paused(self._desk.book),
            tasks=await views.tasks(TaskState.RUNNING),
            improvements=await views.improvements(),
            budgets=await views.budgets(),
            poisoned=await views.poisoned() if position else (),  # before the first there is no table
        )

    async def _look_for_letters(self) -> None:
        reader = StreamReader(self._desk.connection, DEAD_LETTER_STREAM)
        while page := await reader.page(self._letters[-1].seq if self._letters else 0, PAGE):
            self._letters += page
        self._seen = replace(self._seen, letters=folded(self._letters))


async def keep_looking(look: Look, views_seconds: float, health_seconds: float) -> None:
    """Look until cancelled."""
    async with asyncio.TaskGroup() as looking:
        looking.create_task(_again(look.views, views_seconds))
        looking.create_task(_again(look.health, health_seconds))


async def _again(look: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await look()
        await asyncio.sleep(seconds)
