"""While NATS is away, pages are drawn from the views and the journal, and say what is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from events.swarm import ALL, SWARM, Paused
from schemas.access import Role
from services.runtime.embedded.addresses import free_port as find_free_port
from tests.gateway_place import CAUSE, Place, ground_at, open_place, serving
from tests.log_server import LogServer
from tests.lossy_wire import Wire
from tests.shelf_story import LANDED, WAITING, Teller

PATIENCE = 60.0


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, book):
            await Teller(book).whole()
        await opened.seen()
        yield opened


@asynccontextmanager
async def over_wire(place: Place, server: LogServer) -> AsyncIterator[tuple[Place, Wire, dict[str, str]]]:
    """Another gateway, whose way to NATS can be cut, and an operator's session there."""
    wire = Wire(server.port)
    url = f"nats://127.0.0.1:{await wire.begin()}"
    settings = place.ground.settings.model_copy(update={"port": find_free_port()})
    async with serving(replace(place.ground, nats_url=url, settings=settings)) as address:
        opened = replace(place, url=address)
        sent = aiohttp.FormData({"token": place.tokens[Role.OPERATOR].text})
        async with place.session.post(f"{address}/enter", data=sent, allow_redirects=False) as answer:
            cookie = {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}
        assert (await opened.ask("GET", "/", headers=cookie)).status == 200
        try:
            yield opened, wire, cookie
        finally:
            wire.flow()
    await wire.cut()


def words(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", text)))


def buttons(text: str) -> list[str]:
    """Return the buttons of a page that decide something."""
    main = text.partition("<main")[2].partition('<details class="travel"')[0]
    return [one for one in re.findall(r"<button[^>]*>[^<]*", main) if "Show" not in one]


async def drawn(place: Place, path: str, cookie: dict[str, str]) -> str:
    async with asyncio.timeout(PATIENCE):
        said = await place.ask("GET", path, headers=cookie)
    assert said.status == 200, (path, words(said.text))
    return said.text


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_nats_pages_are_drawn_and_name_what_is_missing(
    place: Place, server: LogServer, how: str
) -> None:
    await place.book.record(SWARM, ALL, Paused(reason="a storm"), cause=CAUSE)
    await place.seen()
    async with over_wire(place, server) as (opened, wire, cookie):
        whole = await drawn(opened, f"/ai/improvements/{LANDED}", cookie)
        await wire.cut() if how == "gone" else wire.stall()
        overview = words(await drawn(opened, "/", cookie))
        for told in ("NATS is away", "a storm", "Health:", "Dead letters not known"):
            assert told in overview, (told, overview)
        for path in ("/", f"/ai/improvements/{WAITING}"):
            text = await drawn(opened, path, cookie)
            found = buttons(text)
            assert found, path
            assert all("disabled" in one and "NATS is away" in one for one in found), found
        one = await drawn(opened, f"/ai/improvements/{LANDED}", cookie)
        assert "Cannot be shown" in one
        assert "NATS is away" not in whole
        assert one.count('id="raw-') == whole.count('id="raw-') > 0


async def test_without_nats_an_event_of_the_past_is_still_shown(place: Place, server: LogServer) -> None:
    then = await place.seen()
    async with over_wire(place, server) as (opened, wire, cookie):
        wire.stall()
        for path in ("/", f"/ai/improvements/{LANDED}", "/ai/improvements", "/ai/deployments"):
            text = words(await drawn(opened, f"{path}?at={then}", cookie))
            assert f"after event {then}" in text
            assert "NATS is away" in text
        said = await opened.ask("GET", "/?at=2020-01-01", headers=cookie)
        assert (said.status, "NATS" in said.text) == (503, True)
