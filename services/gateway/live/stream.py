"""Server-sent events: what a browser or a program hears as it happens, and takes up again where it was cut.

Rules
1. Each message carries the sequence it stands for as its id; who comes back with `Last-Event-ID` misses
   nothing (`services/gateway/live/message.py`, `feed.py`).
2. A comment is sent when nothing happens, so that either end notices that the other is gone.
3. It ends when who listens may no longer, who is refused on coming back, and when the gateway stops
   (`services/gateway/live/closing.py`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus

from aiohttp import web
from pydantic import Field

from schemas.access import Scope
from schemas.base import Frozen
from services.access.tokens import ANY_SCOPE
from services.gateway.http.problems import Problem
from services.gateway.http.route import LAST_EVENT_ID, LOOKING, Call, Route
from services.gateway.live.closing import over
from services.gateway.live.feed import Told
from services.gateway.live.message import message
from services.gateway.live.position import Mark
from services.runtime.ending import end

QUIET_SECONDS = 15.0
TOGETHER_SECONDS = 0.05  # moves of the views that come closer are told as one
TOGETHER_BYTES = 1 << 16
LONGEST_SEQ = 18
MEDIA_TYPE = "text/event-stream"
HEADERS = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RETRY = b"retry: 1000\n\n"
QUIET = b": quiet\n\n"

Coming = Callable[[], Awaitable[Iterable[bytes]]]


class From(Frozen):
    """Where to begin: after this event; without it with what happens next."""

    after: int | None = Field(default=None, ge=0)


async def events(call: Call) -> web.StreamResponse:
    """Send every event of the log after the one named, and go on for ever.

    One that the log does not have is no event of this log: 404, for whoever waited would hear nothing.
    """
    feed, after = call.desk.feed, _last_seen(call.request)
    if after is None:
        after = call.query.after
    if after and after > (head := await call.desk.book.store.head()):
        told = f"there is no event {after}: the log ends at {head}; begin anew, it may be another log"
        raise Problem(HTTPStatus.NOT_FOUND, told)
    with feed.listening():
        seq = await feed.head() if after is None else after

        async def coming() -> Iterable[bytes]:
            nonlocal seq
            told = await feed.beyond(seq)
            seq = told[-1].seq
            return joined(told)

        return await _sent(call, coming)


async def moves(call: Call) -> web.StreamResponse:
    """Send where the views are at once, and whenever they move or health does: pages then look again."""
    mark: Mark | None = None

    async def coming() -> Iterable[bytes]:
        nonlocal mark
        if mark is not None:
            await asyncio.sleep(TOGETHER_SECONDS)
        mark = await call.desk.position.beyond(mark)
        return (message(mark.seq, "moved", {"position": mark.seq}),)

    with call.desk.feed.listening():  # it tells when the token is revoked
        return await _sent(call, coming)


def joined(told: Iterable[Told]) -> Iterator[bytes]:
    """Yield messages in order, those together that are small."""
    part: list[bytes] = []
    size = 0
    for one in told:
        if size + len(one.message) > TOGETHER_BYTES and part:
            yield b"".join(part)
            part, size = [], 0
        part.append(one.message)
        size += len(one.message)
    yield b"".join(part)


def _last_seen(request: web.Request) -> int | None:
    given = request.headers.get(LAST_EVENT_ID.name, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= LONGEST_SEQ):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Last-Event-ID is the sequence of an event")
    return int(given)


async def _sent(call: Call, coming: Coming) -> web.StreamResponse:
    """Send what comes until the other end is gone or may no longer listen."""
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(call.request)
    await response.write(RETRY)
    both = asyncio.create_task(over(call)), asyncio.create_task(_write(response, coming))
    async with AsyncExitStack() as ending:
        for task in both:
            ending.push_async_callback(end, task)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    return response


async def _write(response: web.StreamResponse, coming: Coming) -> None:
    """Write whatever comes, and a comment whenever nothing does, until nobody takes it."""
    with suppress(ConnectionError):
        while True:
            told: Iterable[bytes] = (QUIET,)
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_SECONDS):
                    told = await coming()
            for part in told:
                await response.write(part)


ROUTES = (
    Route(
        "GET",
        "/api/events/stream",
        events,
        LOOKING,
        Scope.LOG,
        "Follow the log",
        query=From,
        headers=(LAST_EVENT_ID,),
        answers={HTTPStatus.OK: str},
        problems=(HTTPStatus.NOT_FOUND,),
        media_type=MEDIA_TYPE,
    ),
    Route(
        "GET",
        "/live",
        moves,
        LOOKING,
        ANY_SCOPE,  # it tells that something moved, and nothing else
        "Follow where the views are",
        page=True,
        media_type=MEDIA_TYPE,
    ),
)
