"""Gathering a stream of events into batches, reading on while a batch is being written."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from events.store import Recorded

AGAIN_SECONDS = 1.0
Arrived = asyncio.Queue[Recorded | None]


async def gather(
    events: AsyncIterator[Recorded], limit: int, idle: float
) -> AsyncGenerator[list[Recorded], None]:
    """Yield what has arrived, at most `limit` events, and an empty batch after `idle` seconds of silence.

    Ends when `events` ends, raises what it raises, and closes it.
    """
    arrived: Arrived = asyncio.Queue(2 * limit)
    reader = asyncio.create_task(_pour(events, arrived))
    try:
        while not (reader.done() and arrived.empty()):
            batch = await _next(arrived, limit, idle)
            if batch is None:
                break
            yield batch
        await reader
    finally:
        while not reader.done():  # a cancellation that meets an answer is lost in `wait_for` of Python 3.11
            reader.cancel()
            await asyncio.wait({reader}, timeout=AGAIN_SECONDS)


async def _pour(events: AsyncIterator[Recorded], arrived: Arrived) -> None:
    async with aclosing(cast("AsyncGenerator[Recorded, None]", events)) as opened:
        try:
            async for event in opened:
                await arrived.put(event)
        except asyncio.CancelledError:
            raise
        except Exception:
            await arrived.put(None)
            raise
    await arrived.put(None)


async def _next(arrived: Arrived, limit: int, idle: float) -> list[Recorded] | None:
    """Return the next batch, None at the end."""
    try:
        async with asyncio.timeout(idle):
            event = await arrived.get()
    except TimeoutError:
        return []
    batch: list[Recorded] = []
    while event is not None:
        batch.append(event)
        if len(batch) == limit or arrived.empty():
            return batch
        event = arrived.get_nowait()
    arrived.put_nowait(None)  # the end stands again for the next call
    return batch or None
