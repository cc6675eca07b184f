"""Tries again while the log is away: what a call came to was paid for, and is not thrown away."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from events.store import Unavailable

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True)
class Persistence:
    """For how many seconds it is tried, and after how many it is tried again."""

    seconds: float = 60.0
    pause: float = 1.0


async def until_taken(work: Callable[[], Awaitable[T]], persistence: Persistence) -> T:
    """Return what `work` returns. Raises `Unavailable` when the log stays away; `work` may be repeated."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + persistence.seconds
    while True:
        try:
            return await work()
        except Unavailable as away:
            if clock() >= deadline:
                raise
            log.warning("the end of a call waits for the log", problem=str(away))
        await asyncio.sleep(persistence.pause)
