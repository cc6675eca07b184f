"""What tells pages to look again: where the views are, health, and a gateway that stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from schemas.access import Role
from services.access.tokens import grant
from services.runtime.announcing import announced
from services.runtime.ground import Ground
from tests.gateway_place import CAUSE, PATIENCE, ground_at, open_place, serving
from tests.log_server import LogServer

FOREVER = aiohttp.ClientTimeout(total=None)


@pytest.fixture
async def ground(server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    return ground_at(server, database, tmp_path, free_port)


async def moves(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with asyncio.timeout(PATIENCE):
        async for line in answer.content:
            if line.startswith(b"id: "):
                yield line


async def test_a_gateway_that_stops_ends_its_streams_so_that_listeners_come_back(ground: Ground) -> None:
    async with ground.log("admin") as (_, book):
        token = await grant(book, "viewer", Role.VIEWER, CAUSE)
    own = {"Authorization": f"Bearer {token.text}"}
    async with aiohttp.ClientSession(headers=own, timeout=FOREVER) as session:
        async with serving(ground) as url:
            heard = [await session.get(url + path) for path in ("/live", "/api/events/stream")]
        async with asyncio.timeout(PATIENCE):
            ended = [await answer.content.read() for answer in heard]
    assert all(text.startswith(b"retry:") for text in ended)


async def test_who_listens_is_told_at_once_where_the_views_are_and_then_of_every_move(
    ground: Ground,
) -> None:
    async with open_place(ground) as place:
        own = {"Authorization": f"Bearer {place.tokens[Role.VIEWER].text}"}
        async with place.session.get(f"{place.url}/live", headers=own, timeout=FOREVER) as answer:
            told = moves(answer)
            await anext(told)
            head = await place.book.store.head()
            await place.ask("POST", "/api/pause", Role.OPERATOR, {})
            assert b"id: %d\n" % (head + 1) in [line async for line in until(told, head + 1)]


async def until(told: AsyncIterator[bytes], seq: int) -> AsyncIterator[bytes]:
    async for line in told:
        yield line
        if line == b"id: %d\n" % seq:
            return


async def test_a_service_that_comes_is_told_though_no_view_moves(ground: Ground) -> None:
    async with open_place(ground) as place:
        own = {"Authorization": f"Bearer {place.tokens[Role.VIEWER].text}"}
        await place.ask("GET", "/", Role.VIEWER)  # it waits until health was asked for
        async with place.session.get(f"{place.url}/live", headers=own, timeout=FOREVER) as answer:
            told = moves(answer)
            head = await place.seen()
            [line async for line in until(told, head)]
            connection = await ground.connect("qa")
            try:
                async with announced(connection, "qa", "a test", "qa@test"):
                    assert await anext(told) == b"id: %d\n" % head
            finally:
                await connection.close()
