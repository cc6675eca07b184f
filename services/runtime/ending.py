"""Ends tasks for good: one cancellation may be lost in a library that is just then done waiting."""

import asyncio
from typing import Any

AGAIN_SECONDS = 1.0


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel `task` until it has ended; raises what it failed with, if it did."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    if not task.cancelled():
        task.result()
