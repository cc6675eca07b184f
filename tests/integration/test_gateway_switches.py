"""The switches of the overview: what would be refused while something is paused cannot be pressed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from events.swarm import ALL, SWARM
from events.swarm import Paused as EverythingPaused
from events.target import TARGET, Paused
from schemas.access import Role
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.log_server import LogServer
from tests.shelf_story import Teller


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, book):
            await Teller(book).whole()
        await opened.seen()
        yield opened


async def entered(place: Place) -> dict[str, str]:
    sent = aiohttp.FormData({"token": place.tokens[Role.OPERATOR].text})
    async with place.session.post(f"{place.url}/enter", data=sent, allow_redirects=False) as answer:
        return {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}


def form(text: str, action: str) -> str:
    """Return one form of a page; empty where it has none."""
    found = re.search(rf'<form[^>]*action="{action}">.*?</form>', text, re.DOTALL)
    return found.group() if found else ""


async def overview(place: Place, cookie: dict[str, str]) -> str:
    await place.seen()
    return (await place.ask("GET", "/", headers=cookie)).text


async def test_a_paused_target_is_not_looked_at_and_can_go_on(place: Place) -> None:
    cookie = await entered(place)
    text = await overview(place, cookie)
    assert "disabled" not in form(text, "/targets/shelf/look")
    assert form(text, "/targets/shelf/resume") == ""

    await place.book.record(TARGET, "shelf", Paused(reason="release week"), cause=CAUSE)
    text = await overview(place, cookie)
    refused = form(text, "/targets/shelf/look")
    assert "disabled" in refused
    assert "it is paused" in refused
    back = form(text, "/targets/shelf/resume")
    (key,) = re.findall(r'name="form_key" value="([^"]+)"', back)
    async with place.session.post(
        f"{place.url}/targets/shelf/resume", data={"form_key": key}, headers=cookie, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert not (await place.book.state(TARGET, "shelf")).paused
    assert "disabled" not in form(await overview(place, cookie), "/targets/shelf/look")


async def test_while_everything_is_paused_no_target_is_looked_at(place: Place) -> None:
    await place.book.record(SWARM, ALL, EverythingPaused(reason="a storm"), cause=CAUSE)
    refused = form(await overview(place, await entered(place)), "/targets/shelf/look")
    assert "disabled" in refused
    assert "everything is paused" in refused
