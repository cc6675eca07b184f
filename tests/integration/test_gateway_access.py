"""Who may do what at the gateway: every route, every role and nobody, from the one table of routes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from events.access import ACCESS, NOBODY, Revoked
from schemas.access import Role, Scope
from services.access.tokens import grant, mint
from services.gateway.app import ROUTES
from services.gateway.http.floods import NOBODYS_RATE, RATE
from services.gateway.http.route import ANYBODY, Route
from tests import projection_facts as f
from tests.gateway_place import CAUSE, Place, Said, from_address, ground_at, open_place
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, tell

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REFUSED = (401, 403)


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        yield opened


def concrete(route: Route) -> str:
    return re.sub(r"\{\w+(?::[^{}]*)?\}", "1", route.path)


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_no_two_routes_are_the_same() -> None:
    assert len({named(route) for route in ROUTES}) == len(ROUTES)


def test_only_these_are_open_to_anybody() -> None:
    assert {named(route) for route in ROUTES if route.roles is ANYBODY} == {
        "GET /livez",
        "GET /readyz",
        "GET /api/health",
        "GET /api/openapi.json",
        "GET /enter",
        "POST /enter",
        "GET /static/{name}",
        "POST /api/webhooks/github",
        "POST /api/webhooks/n8n/{workflow_id}",
        "POST /api/webhooks/system",
    }


async def asked(
    place: Place, number: int, method: str, path: str, role: Role | None, body: object = None
) -> Said:
    """Ask as a role, or as nobody from one of many addresses, so that no flood comes from any."""
    if role is not None:
        return await place.ask(method, path, role, body)
    async with from_address(place, f"127.0.1.{number % 250 + 1}") as other:
        return await other.ask(method, path, None, body)


async def test_every_route_lets_in_the_roles_of_its_table_and_nobody_else(place: Place) -> None:
    wrong = []
    for number, route in enumerate(ROUTES):
        if route.media_type == "text/event-stream" or route.path == "/live":
            continue
        for role in (*Role, None):
            if route.method == "POST":  # a body that no model takes: it is let in, and changes nothing
                said = await asked(place, number, "POST", concrete(route), role, {"nothing": "fits"})
            else:
                said = await asked(place, number, "GET", concrete(route), role)
            to_enter = said.status == 303 and said.headers["Location"].startswith("/enter")
            let_in = said.status not in REFUSED and not to_enter
            if let_in != (route.roles is ANYBODY or role in route.roles):
                wrong.append(f"{named(route)} as {role}: {said.status}")
            assert said.status < 500 or route.path in ("/api/health", "/readyz"), (named(route), said.text)
    assert wrong == []


async def test_streams_are_denied_to_who_may_not_look(place: Place) -> None:
    for path in ("/api/events/stream", "/live"):
        assert (await place.ask("GET", path, Role.AGENT)).status == 403
    assert (await place.ask("GET", "/api/events/stream")).status == 401


async def test_a_denial_is_on_the_log(place: Place) -> None:
    await place.ask("POST", "/api/pause", Role.VIEWER, {})
    await place.ask("GET", "/api/tasks")
    denied = (await place.book.state(ACCESS, place.tokens[Role.VIEWER].id)).denied
    assert (denied, (await place.book.state(ACCESS, NOBODY)).denied) == (1, 1)


async def test_a_flood_of_denials_is_one_event(place: Place) -> None:
    before = await place.book.store.head()
    for _ in range(10):
        assert (await place.ask("GET", "/api/tasks")).status == 401
    assert await place.book.store.head() == before + 1


async def test_a_flood_of_wrong_tokens_is_limited_and_costs_nobody_elsewhere(place: Place) -> None:
    assert (await place.ask("GET", "/api/tasks", Role.VIEWER)).status == 200
    wrong = [{"Authorization": f"Bearer {mint().text}"} for _ in range(2 * NOBODYS_RATE.at_once)]
    said = [(await place.ask("GET", "/api/tasks", headers=one)).status for one in wrong]
    assert set(said) == {401, 429}
    assert (await place.ask("GET", "/api/tasks", Role.VIEWER)).status == 200  # known, in the same place
    async with from_address(place, "127.0.2.1") as other:
        assert (await other.ask("GET", "/api/tasks", Role.OPERATOR)).status == 200


async def test_what_a_role_may_not_is_limited_as_what_it_may(place: Place) -> None:
    body = {"reason": "not mine"}
    said = [
        (await place.ask("POST", "/api/pause", Role.VIEWER, body)).status for _ in range(2 * RATE.at_once)
    ]
    assert set(said) == {403, 429}


async def test_a_wrong_secret_is_told_on_the_token_it_was_tried_on(place: Place) -> None:
    mine = place.tokens[Role.VIEWER]
    tried = {"Authorization": f"Bearer {replace(mine, secret=mint().secret).text}"}
    said = await place.ask("GET", "/api/tasks", headers=tried)
    assert (said.status, "no such token" in said.text) == (401, True)
    assert (await place.book.state(ACCESS, mine.id)).denied == 1


async def test_who_asks_too_often_is_told_when_to_come_back(place: Place) -> None:
    said = [await place.ask("GET", "/livez") for _ in range(60)]
    refused = next(one for one in said if one.status == 429)
    assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("sent", ["Bearer x", "Bearer ", "Basic YTpi", "Bearer " + "a" * 500, "x"])
async def test_what_is_no_token_lets_nobody_in(place: Place, sent: str) -> None:
    said = await place.ask("GET", "/api/tasks", headers={"Authorization": sent})
    assert (said.status, said.json["title"]) == (401, "Unauthorized")


async def test_a_revoked_token_is_worth_nothing_at_once(place: Place) -> None:
    assert (await place.ask("GET", "/api/tasks", Role.VIEWER)).status == 200
    await place.book.record(ACCESS, place.tokens[Role.VIEWER].id, Revoked(reason="lost"), cause=CAUSE)
    said = await place.ask("GET", "/api/tasks", Role.VIEWER)
    assert said.status == 401
    assert "revoked" in said.json["detail"]


async def test_a_scope_narrows_a_role(place: Place) -> None:
    made = await grant(place.book, "narrow", Role.ADMIN, CAUSE, scopes=(Scope.TASKS,))
    own = {"Authorization": f"Bearer {made.text}"}
    assert (await place.ask("GET", "/api/tasks", headers=own)).status == 200
    assert (await place.ask("GET", "/api/tokens", headers=own)).status == 403


async def test_a_narrowed_admin_makes_only_tokens_as_narrow(place: Place) -> None:
    made = await grant(place.book, "narrow", Role.ADMIN, CAUSE, scopes=(Scope.ACCESS, Scope.TASKS))
    own = {"Authorization": f"Bearer {made.text}"}
    wider: tuple[list[str], ...] = ([], ["log"], ["tasks", "log"])
    for scopes in wider:
        wanted = {"title": "mine", "role": "admin", "scopes": scopes}
        said = await place.ask("POST", "/api/tokens", None, wanted, own)
        assert (said.status, "narrowed to access, tasks" in said.json["detail"]) == (403, True)
    by_form = {"Cookie": f"aps_session={(await entered_with(place, made.text)).cookies['aps_session'].value}"}
    page = await place.ask("GET", "/ai/settings", headers=by_form)
    found = re.search(r'name="form_key" value="([^"]+)"', page.text)
    assert found is not None
    form = {"form_key": found[1], "title": "mine", "role": "admin"}
    async with place.session.post(f"{place.url}/ai/settings", data=form, headers=by_form) as refused:
        assert refused.status == 403
    wanted = {"title": "mine", "role": "admin", "scopes": ["tasks"]}
    assert (await place.ask("POST", "/api/tokens", None, wanted, own)).status == 201


@pytest.mark.parametrize("title", ["   ", "\u200b\u2060", "a\x1b[2J"])
async def test_a_token_nobody_could_tell_in_a_list_is_not_made(place: Place, title: str) -> None:
    said = await place.ask("POST", "/api/tokens", Role.ADMIN, {"title": title, "role": "viewer"})
    assert (said.status, said.json["errors"][0][:6]) == (422, "title:")


async def enter(place: Place, role: Role, then: str = "/") -> aiohttp.ClientResponse:
    return await entered_with(place, place.tokens[role].text, then)


async def entered_with(place: Place, token: str, then: str = "/") -> aiohttp.ClientResponse:
    sent = urlencode({"token": token, "then": then})
    return await place.session.post(f"{place.url}/enter", data=sent, headers=FORM, allow_redirects=False)


async def test_a_person_enters_with_a_token_and_decides_with_the_key_of_the_form(place: Place) -> None:
    entered = await enter(place, Role.OPERATOR, "/ai/tasks")
    assert (entered.status, entered.headers["Location"]) == (303, "/ai/tasks")
    cookie = {"Cookie": f"aps_session={entered.cookies['aps_session'].value}"}
    assert entered.cookies["aps_session"]["httponly"]
    page = await place.ask("GET", "/", headers=cookie)
    found = re.search(r'name="form_key" value="([^"]+)"', page.text)
    assert found is not None
    without = await place.ask("POST", "/api/pause", body={}, headers=cookie)
    assert (without.status, "load the page again" in without.text) == (403, True)
    assert "aps token create" not in without.text
    key = {**cookie, "X-Form-Key": found[1]}
    assert (await place.ask("POST", "/api/pause", body={}, headers=key)).status == 202


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"]
)
async def test_nobody_is_led_elsewhere_by_entering(place: Place, then: str) -> None:
    assert (await enter(place, Role.VIEWER, then)).headers["Location"] == "/"


async def test_an_agent_opens_no_page(place: Place) -> None:
    assert (await enter(place, Role.AGENT)).status == 403


async def test_pages_show_a_cycle_and_hostile_text_as_text(place: Place) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e"
    async with place.ground.log("admin") as (_, everybody):
        await tell(everybody.store, [*CYCLE, ("improvement", "imp-2", f.discovered(2, hostile))])
    head = await place.seen()
    entered = await enter(place, Role.ADMIN)
    cookie = {"Cookie": f"aps_session={entered.cookies['aps_session'].value}"}
    for path in (
        "/",
        "/ai/improvements",
        "/ai/improvements?shown=table&q=imp",
        "/ai/improvements/imp-1",
        "/ai/improvements/imp-2",
        f"/ai/improvements/imp-1?at={head}",
        "/ai/tasks?state=all",
        "/ai/deployments",
        "/ai/audit?by=all",
        "/ai/system",
        "/ai/settings",
    ):
        said = await place.ask("GET", path, headers=cookie)
        assert said.status == 200, (path, said.text)
        assert "default-src 'none'" in said.headers["Content-Security-Policy"]
        assert not {"<script>alert", "\x1b", "\u202e"} & {
            one for one in ("<script>alert", "\x1b", "\u202e") if one in said.text
        }
    assert (await place.ask("GET", "/ai/improvements/none", headers=cookie)).status == 404
