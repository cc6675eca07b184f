"""Reads the body of a delivery, and ends whoever sends too much, too slowly or something else.

Rules
1. What is too large by its own account is refused before a byte of it is read, the rest as soon as it shows.
2. A body is read within a time, however little of it comes at once.
3. Only so many large bodies are in memory at once; more of them wait within their time.
"""

import asyncio
from http import HTTPStatus

from aiohttp import web

from services.gateway.http.problems import Problem

JSON = "application/json"
KIB = 1024
SECONDS = 10.0
LARGE = 256 * KIB
LARGE_AT_ONCE = 16
OTHER_TYPE = "it is not sent as application/json"
TOO_LARGE = "it is larger than what is taken"
TOO_SLOW = "it came too slowly"


class Bodies:
    """Reads for one gateway; `most` bytes are taken, within `seconds`."""

    def __init__(self, most: int, seconds: float = SECONDS) -> None:
        """Read nothing yet."""
        self._most = most
        self._seconds = seconds
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def read(self, request: web.Request) -> bytes:
        """Return the body as it was sent. Raises `Problem`."""
        if request.content_type != JSON or "Content-Encoding" in request.headers:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, OTHER_TYPE)
        size = request.content_length
        if size is not None and size > self._most:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        try:
            async with asyncio.timeout(self._seconds):
                if size is not None and size <= LARGE:
                    return await self._bytes(request)
                async with self._large:
                    return await self._bytes(request)
        except TimeoutError as late:
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW) from late

    async def _bytes(self, request: web.Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > self._most:
                raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
            parts.append(part)
        return b"".join(parts)
