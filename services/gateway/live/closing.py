"""Ends what streams without an end when the gateway stops: it stops at once, and listeners come back."""

import asyncio

from aiohttp import web

from services.gateway.http.route import Call
from services.gateway.live.dismissal import dismissed
from services.runtime.ending import end

_CLOSING = web.AppKey("closing", asyncio.Event)


def close_streams_with(app: web.Application) -> None:
    """Have the streams of an application end when it stops."""
    app[_CLOSING] = asyncio.Event()
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    app[_CLOSING].set()


async def over(call: Call) -> None:
    """Return as soon as a stream is to end: who listens may no longer, or the gateway stops."""
    ends = (
        asyncio.create_task(dismissed(call)),
        asyncio.create_task(_closing(call.request.app[_CLOSING])),
    )
    try:
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in ends:
            await end(task)


async def _closing(closing: asyncio.Event) -> None:
    await closing.wait()
