"""Pages of the past: the same for ever, reached by a slider, and compared with one another."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from schemas.access import Role
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer
from tests.shelf_story import FOUND, LANDED, WAITING, Teller

PAGES = ("/", "/ai/improvements", f"/ai/improvements/{LANDED}", "/ai/tasks?state=all", "/ai/deployments")


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    ground = ground_at(server, database, tmp_path, free_port)
    async with open_place(ground) as opened:
        async with ground.log("admin") as (_, book):
            await Teller(book).whole()
        await opened.seen()
        yield opened


async def cookie_of(place: Place) -> dict[str, str]:
    sent = aiohttp.FormData({"token": place.tokens[Role.ADMIN].text})
    async with place.session.post(f"{place.url}/enter", data=sent, allow_redirects=False) as answer:
        return {"Cookie": f"aps_session={answer.cookies['aps_session'].value}"}


def content(text: str) -> str:
    """Return what a page says of the moment, without the way to others."""
    main = re.sub(r'<details class="travel".*', "", text.partition("<main")[2], flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main)))


def at(path: str, seq: int) -> str:
    return f"{path}{'&' if '?' in path else '?'}at={seq}"


async def test_a_link_to_a_moment_shows_the_same_whatever_happens_later(place: Place) -> None:
    head, cookie = await place.seen(), await cookie_of(place)
    paths = [at(path, seq) for path in (*PAGES, "/ai/audit?by=all") for seq in (head - 3, head // 2)]
    before = {path: content((await place.ask("GET", path, headers=cookie)).text) for path in paths}
    for decision in ("/api/pause", f"/api/improvements/{WAITING}/decline"):
        assert (await place.ask("POST", decision, Role.OPERATOR, {})).status == 202
    await place.seen()
    after = {path: content((await place.ask("GET", path, headers=cookie)).text) for path in paths}
    assert all("You look at the past" in text for text in before.values())
    assert after == before


async def test_the_past_knows_whether_everything_was_paused(place: Place) -> None:
    cookie, running = await cookie_of(place), await place.seen()
    await place.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "a storm"})
    paused = await place.seen()
    await place.ask("POST", "/api/resume", Role.OPERATOR, {})
    await place.seen()
    shown = {
        seq: "a storm" in (await place.ask("GET", f"/?at={seq}", headers=cookie)).text
        for seq in (running, paused)
    }
    assert shown == {running: False, paused: True}


async def test_what_changed_between_two_moments_names_who_moved_and_every_event(place: Place) -> None:
    cookie = await cookie_of(place)
    rows = await place.views.timeline(WAITING)
    found, proven = (
        next(row.seq for row in rows if row.fact == name) for name in ("discovered", "change_validated")
    )
    text = content((await place.ask("GET", f"/ai/changes?from={found}&at={proven}", headers=cookie)).text)
    assert f"{WAITING} initialized testing complete" in text
    assert f"{FOUND} not found yet initialized" in text
    assert f"{proven - found} events" in text
    same = content((await place.ask("GET", f"/ai/changes?from={found}&at={found}", headers=cookie)).text)
    assert "Every improvement stands where it stood" in same
    assert "Nothing happened between" in same


async def test_the_slider_keeps_what_else_the_address_asks_for(place: Place) -> None:
    head = await place.seen()
    said = await place.ask("GET", "/ai/improvements?q=imports&shown=table", headers=await cookie_of(place))
    (form,) = re.findall(r"<form[^>]*data-submits.*?</form>", said.text, flags=re.DOTALL)
    assert f'type="range" min="1" max="{head}" value="{head}"' in form
    assert 'name="q" value="imports"' in form
    assert 'name="shown" value="table"' in form


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at=999999", 404),
        ("at=nonsense", 422),
        ("at=2999-01-01", 404),
        ("from=5&at=3", 422),
        ("from=nonsense", 422),
        ("from=999999", 404),
        ("from=0&at=5", 200),
        ("from=1&at=2", 200),
        ("", 200),
    ],
)
async def test_a_moment_that_is_none_is_refused(place: Place, query: str, status: int) -> None:
    said = await place.ask("GET", f"/ai/changes?{query}", headers=await cookie_of(place))
    assert said.status == status, content(said.text)
