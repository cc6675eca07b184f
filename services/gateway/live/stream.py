"""Server-sent events: what a browser or a program hears as it happens, and takes up again where it was cut.

Rules
1. Each message carries the sequence it stands for as its id; who comes back with `Last-Event-ID` misses
   nothing.
2. Data is JSON on one line: no line break of any kind stands in it raw, so no content can forge a message.
3. A comment is sent when nothing happens, so that either end notices that the other is gone.
4. It ends when who listens may no longer, who is refused on coming back, and when the gateway stops
   (`services/gateway/live/closing.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import Field

from events.store import Recorded
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, Call, Route
from services.gateway.live.closing import over
from services.runtime.ending import end

QUIET_SECONDS = 15.0
TOGETHER_SECONDS = 0.05  # moves of the views that come closer are told as one
LONGEST_SEQ = 18
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY = b"retry: 1000\n\n"


class From(Frozen):
    """Where to begin: after this event; without it with what happens next."""

    after: int | None = Field(default=None, ge=0)


async def events(call: Call) -> web.StreamResponse:
    """Send every event of the log after the one named, and go on for ever."""
    feed = call.desk.feed
    begin = _last_seen(call.request)
    if begin is None:
        begin = feed.head if call.query.after is None else call.query.after
    return await _sent(call, (_event(one) async for one in feed.after(begin)))


async def moves(call: Call) -> web.StreamResponse:
    """Send where the views are at once, and whenever they move or health does: pages then look again."""

    async def told() -> AsyncIterator[bytes]:
        mark = None
        while True:
            mark = await call.desk.position.beyond(mark)
            yield _message(mark.seq, "moved", {"position": mark.seq})
            await asyncio.sleep(TOGETHER_SECONDS)

    return await _sent(call, told())


def _last_seen(request: web.Request) -> int | None:
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= LONGEST_SEQ):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Last-Event-ID is the sequence of an event")
    return int(given)


def _event(recorded: Recorded) -> bytes:
    return _message(recorded.seq, "event", orjson.Fragment(recorded.envelope.encode()))


def _message(id: int, kind: str, data: Any) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (id, kind.encode(), orjson.dumps(data))


async def _next(messages: AsyncIterator[bytes]) -> bytes:
    return await anext(messages)


async def _sent(call: Call, messages: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send messages until the other end is gone or may no longer listen; a comment whenever none comes."""
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(call.request)
    await response.write(RETRY)
    ended = asyncio.create_task(over(call))
    coming: asyncio.Task[bytes] | None = None
    try:
        while not ended.done():
            coming = coming or asyncio.create_task(_next(messages))
            await asyncio.wait((coming, ended), timeout=QUIET_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            elif coming.done():
                message, coming = coming.result(), None
                await response.write(message)
            else:
                await response.write(b": quiet\n\n")
    except (ConnectionError, StopAsyncIteration):
        return response
    finally:
        await end(ended)
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
    return response


ROUTES = (
    Route(
        "GET",
        "/api/events/stream",
        events,
        LOOKING,
        Scope.LOG,
        "Follow the log",
        query=From,
        answers={HTTPStatus.OK: str},
        media_type=MEDIA_TYPE,
    ),
    Route(
        "GET",
        "/live",
        moves,
        LOOKING,
        Scope.IMPROVEMENTS,
        "Follow where the views are",
        page=True,
        media_type=MEDIA_TYPE,
    ),
)
