"""Whoever has entered is led to what they may see, and has a way on and out of every page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from schemas.access import Role, Scope
from services.access.tokens import grant
from services.gateway.app import ROUTES
from services.gateway.pages.rendering import PLACES
from tests.gateway_place import CAUSE, Place, Said, ground_at, open_place
from tests.log_server import LogServer

PATIENCE = 30.0
READING = {"Accept": "text/html"}


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        yield opened


async def entered(place: Place, role: Role, *scopes: Scope) -> tuple[dict[str, str], str]:
    """Enter with a token; return what the session sends, and where it is led."""
    made = await grant(place.book, "a person", role, CAUSE, scopes=scopes)
    sent = aiohttp.FormData({"token": made.text})
    async with place.session.post(f"{place.url}/enter", data=sent, allow_redirects=False) as answer:
        cookie = {"Cookie": f"aps_session={answer.cookies['aps_session'].value}", **READING}
        return cookie, answer.headers["Location"]


def ways(said: Said) -> list[str]:
    navigation = said.text.partition("<nav")[2].partition("</nav>")[0]
    return re.findall(r'href="([^"]*)"', navigation)


def test_each_place_names_the_rights_of_its_route() -> None:
    rights = {route.path: (route.scope, route.roles) for route in ROUTES if route.method == "GET"}
    assert {way.path: (way.scope, way.roles) for way in PLACES} == {
        way.path: rights[way.path] for way in PLACES
    }


async def test_who_enters_is_led_to_the_first_page_their_scopes_open(place: Place) -> None:
    for scopes, first in (((), "/"), ((Scope.METRICS,), "/ai/metrics"), ((Scope.LOG,), "/ai/audit")):
        cookie, led = await entered(place, Role.VIEWER, *scopes)
        said = await place.ask("GET", led, headers=cookie)
        if said.status == 303:
            led = said.headers["Location"]
            said = await place.ask("GET", led, headers=cookie)
        assert (said.status, led) == (200, first)


async def test_only_pages_that_a_person_may_see_are_linked_to(place: Place) -> None:
    for role, scopes, shown in (
        (Role.ADMIN, (), [way.path for way in PLACES]),
        (Role.OPERATOR, (), [way.path for way in PLACES if way.path != "/ai/settings"]),
        (Role.VIEWER, (Scope.TASKS, Scope.LOG), ["/ai/tasks", "/ai/dead-letters", "/ai/audit"]),
    ):
        cookie, _ = await entered(place, role, *scopes)
        said = await place.ask("GET", shown[0], headers=cookie)
        assert ways(said) == shown
        for path in shown:
            assert (await place.ask("GET", path, headers=cookie)).status == 200, path


async def test_a_refusal_has_a_way_on_and_a_way_out(place: Place) -> None:
    cookie, _ = await entered(place, Role.VIEWER, Scope.METRICS)
    assert (await place.ask("GET", "/ai/metrics", headers=cookie)).status == 200
    for path, status in (("/ai/tasks", 403), ("/ai/nowhere", 404)):
        said = await place.ask("GET", path, headers=cookie)
        assert (said.status, ways(said)) == (status, ["/ai/metrics"]), path
        (key,) = re.findall(
            r'action="/leave"><input type="hidden" name="form_key" value="([^"]+)"', said.text
        )
    async with place.session.post(
        f"{place.url}/leave", data={"form_key": key}, headers=cookie, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/enter")
    said = await place.ask("GET", "/ai/metrics", headers=cookie)
    assert (said.status, said.headers["Location"].startswith("/enter")) == (303, True)


async def test_who_has_not_entered_is_shown_no_way_but_in(place: Place) -> None:
    said = await place.ask("GET", "/ai/nowhere", headers=READING)
    assert (said.status, ways(said)) == (404, [])


async def test_pages_of_every_scope_are_live(place: Place) -> None:
    for scope in Scope:
        made = await grant(place.book, "a person", Role.ADMIN, CAUSE, scopes=(scope,))
        own = {"Authorization": f"Bearer {made.text}"}
        async with asyncio.timeout(PATIENCE), place.session.get(f"{place.url}/live", headers=own) as answer:
            assert answer.status == 200, scope
    cookie, _ = await entered(place, Role.VIEWER, Scope.METRICS)
    assert "data-live" in (await place.ask("GET", "/ai/metrics", headers=cookie)).text


async def test_a_link_for_entering_opens_nothing_else(place: Place) -> None:
    made = await grant(place.book, "a link", Role.ADMIN, CAUSE, scopes=("entering",))
    for path in ("/live", "/", "/ai/metrics"):
        own = {"Authorization": f"Bearer {made.text}"}
        assert (await place.ask("GET", path, headers=own)).status == 403
