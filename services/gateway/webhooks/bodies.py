"""Reads the body of a delivery, and ends whoever sends too much, too slowly or something else.

Rules
1. What is too large by its own account is refused before a byte of it is read, the rest as soon as it shows.
2. A body is read within a time, however little of it comes at once.
3. Only so many large bodies are in memory at once, and fewer from one place. What is large shows by what
   came, never by what was announced: who sends nothing takes no room. Who finds none is told when to return.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from weakref import WeakValueDictionary

from aiohttp import web

from services.gateway.http.guests import place_of
from services.gateway.http.problems import Problem

JSON = "application/json"
KIB = 1024
SECONDS = 10.0
LARGE = 256 * KIB
LARGE_AT_ONCE = 16
LARGE_OF_ONE_PLACE = 4
OTHER_TYPE = "it is not sent as application/json"
TOO_LARGE = "it is larger than what is taken"
TOO_SLOW = "it came too slowly"
NO_ROOM = "other large deliveries are being read; send it again"
RETRY_SECONDS = "10"


class Bodies:
    """Reads for one gateway; `most` bytes are taken, within `seconds`, as are `seconds` waited for room."""

    def __init__(self, most: int, seconds: float = SECONDS) -> None:
        """Read nothing yet."""
        self._most = most
        self._seconds = seconds
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def read(self, request: web.Request) -> bytes:
        """Return the body as it was sent. Raises `Problem`."""
        if request.content_type != JSON or "Content-Encoding" in request.headers:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, OTHER_TYPE)
        size = request.content_length
        if size is not None and size > self._most:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        clock = asyncio.get_running_loop().time
        body = bytearray()
        until = clock() + self._seconds
        if await self._read_on(request, body, LARGE, until):
            return bytes(body)
        left = until - clock()
        async with self.room(place_of(request.remote or "")):
            await self._read_on(request, body, self._most, clock() + left)
        return bytes(body)

    async def _read_on(self, request: web.Request, body: bytearray, up_to: int, until: float) -> bool:
        """Read more of a body; False where it is larger than `up_to` and has not ended. Raises `Problem`."""
        try:
            async with asyncio.timeout_at(until):
                async for part in request.content.iter_any():
                    body += part
                    if len(body) > self._most:
                        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
                    if len(body) > up_to:
                        return False
        except TimeoutError as late:
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW) from late
        return True

    @asynccontextmanager
    async def room(self, place: str) -> AsyncIterator[None]:
        """Room for one more large body. Raises `Problem` where there is none for too long."""
        own = self._places.setdefault(place, asyncio.Semaphore(LARGE_OF_ONE_PLACE))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._seconds):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._large)
            except TimeoutError as full:
                again = {"Retry-After": RETRY_SECONDS}
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, NO_ROOM, headers=again) from full
            yield
