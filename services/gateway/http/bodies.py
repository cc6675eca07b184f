"""Reads the body of a request: of a bounded size, within a bounded time, whoever sends it."""

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from services.gateway.http.problems import Problem

BODY_SECONDS = 30.0
MOST_BYTES = 1 << 20


async def whole(request: web.BaseRequest, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body. Raises `Problem` for one that is too large, at once, too slow or broken."""
    if (request.content_length or 0) > MOST_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes are read")
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        told = f"the body did not come within {seconds:g} s"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, told, headers={"Connection": "close"}) from None
    except (web.RequestPayloadError, HttpProcessingError) as broken:
        told = "the body is not packed, or not in the pieces, that its headers say"
        raise Problem(HTTPStatus.BAD_REQUEST, told, headers={"Connection": "close"}) from broken


async def form(request: web.Request, seconds: float = BODY_SECONDS) -> dict[str, str]:
    """Return the fields of a form. Raises `Problem` as `whole` does."""
    await whole(request, seconds)  # kept by the request, which then reads the form from it
    return {name: str(value) for name, value in (await request.post()).items()}
