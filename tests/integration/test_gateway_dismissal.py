"""Who listens to the gateway is sent away once the token is worth nothing, and refused on the way back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from events.envelope import Cause
from schemas.access import Role
from services.access.sessions import COOKIE
from services.access.tokens import Token, grant, revoke
from tests.gateway_place import PATIENCE, Place, ground_at, open_place
from tests.log_server import LogServer

PATHS = ("/api/events/stream", "/live")
SOON = 1.0


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        yield opened


def because() -> Cause:
    return Cause(actor="cli", source="aps/test", correlation=str(uuid4()))


@asynccontextmanager
async def listening(place: Place, path: str, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """An open stream that has begun."""
    async with place.session.get(f"{place.url}{path}", headers=headers, allow_redirects=False) as answer:
        if answer.status == 200:
            await answer.content.readuntil(b"\n\n")
        yield answer


async def over(answer: aiohttp.ClientResponse) -> float:
    """Read a stream to its end; return how long that took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(PATIENCE):
        while await answer.content.readany():
            pass
    return clock() - began


async def hears(answer: aiohttp.ClientResponse, seq: int) -> None:
    """Read until a message of that sequence; fail where the stream ends before."""
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while b"id: %d\n" % seq not in seen:
            chunk = await answer.content.readany()
            assert chunk
            seen += chunk


async def granted(place: Place, lifetime: timedelta = timedelta(hours=1)) -> Token:
    return await grant(place.book, "a listener", Role.VIEWER, because(), lifetime)


@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_ends_when_its_token_is_revoked_and_its_holder_is_refused(
    place: Place, path: str
) -> None:
    token, other = await granted(place), await granted(place)
    bearer = {"Authorization": f"Bearer {token.text}"}
    async with (
        listening(place, path, **bearer) as answer,
        listening(place, path, Authorization=f"Bearer {other.text}") as spared,
    ):
        await revoke(place.book, token.id, "it leaked", because())
        assert await over(answer) < SOON
        await hears(spared, await place.book.store.head())
        await revoke(place.book, other.id, "enough", because())
        assert await over(spared) < SOON
    async with listening(place, path, **bearer) as again:
        assert again.status == 401


@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_ends_when_its_token_expires(place: Place, path: str) -> None:
    token = await granted(place, timedelta(seconds=2))
    async with listening(place, path, Authorization=f"Bearer {token.text}") as answer:
        assert answer.status == 200
        assert await over(answer) < 2 + SOON
    async with listening(place, path, Authorization=f"Bearer {token.text}") as again:
        assert again.status == 401


async def entered(place: Place, token: Token) -> str:
    """The cookie of a session."""
    form = {"token": token.text}
    async with place.session.post(f"{place.url}/enter", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.cookies[COOKIE].value


async def test_the_stream_of_a_session_ends_when_the_token_behind_it_is_revoked(place: Place) -> None:
    token = await granted(place)
    cookie = f"{COOKIE}={await entered(place, token)}"
    async with listening(place, "/live", Cookie=cookie) as answer:
        assert answer.status == 200
        await revoke(place.book, token.id, "it leaked", because())
        assert await over(answer) < SOON
    async with listening(place, "/live", Cookie=cookie) as again:
        assert again.status == 401
    page = await place.ask("GET", "/", headers={"Cookie": cookie})
    assert (page.status, page.headers["Location"][:6]) == (303, "/enter")


async def test_other_events_on_the_token_end_nothing(place: Place) -> None:
    token = await granted(place)
    bearer = {"Authorization": f"Bearer {token.text}"}
    async with listening(place, "/api/events/stream", **bearer) as answer:
        async with place.session.post(f"{place.url}/api/pause", json={}, headers=bearer) as denied:
            assert denied.status == 403
        seen = b""
        async with asyncio.timeout(PATIENCE):
            while b"aps.access.denied" not in seen:
                seen += await answer.content.readany()
        await revoke(place.book, token.id, "enough", because())
        assert await over(answer) < SOON
