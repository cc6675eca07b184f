"""Ends tasks for good: one cancellation may be lost in a library that is just then done waiting."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

AGAIN_SECONDS = 1.0
CLOSING_SECONDS = 5.0  # a service gives back its claims and closes its connections meanwhile


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel `task` until it has ended; raises what it failed with, if it did."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    if not task.cancelled():
        task.result()


async def end_all(tasks: Collection[asyncio.Task[Any]], again: float = CLOSING_SECONDS) -> None:
    """Cancel tasks, again after so many seconds, until all have ended; what they fail with is not raised.

    Being cancelled meanwhile changes nothing: whoever does that waits for the same.
    """
    clock = asyncio.get_running_loop().time
    due = clock()
    while left := {task for task in tasks if not task.done()}:
        if clock() >= due:
            due = clock() + again
            for task in left:
                task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait(left, timeout=max(0.0, due - clock()))
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen, so that nobody complains of it
