"""The way in and out: what a link, a form and a session are worth, and what is told of those refused."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from events.access import ACCESS, NOBODY, Revoked
from schemas.access import Role
from services.access.sessions import COOKIE
from services.access.tokens import link, mint, revoke
from services.gateway.http.floods import NOBODYS_RATE
from services.gateway.listening import runner_of
from services.runtime.embedded.addresses import free_port
from tests.gateway_place import CAUSE, Place, ground_at, open_place, serving
from tests.log_server import LogServer


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port())) as opened:
        yield opened


async def test_the_line_about_a_request_names_its_path_and_no_token(
    caplog: pytest.LogCaptureFixture, place: Place
) -> None:
    caplog.set_level(logging.INFO, "aiohttp.access")
    link = f"/enter?token={place.tokens[Role.ADMIN].text}"
    said = await place.ask("GET", link, headers={"Referer": f"{place.url}{link}", "Connection": "close"})
    assert said.status == 303
    lines = [one.getMessage() for one in caplog.records if one.name == "aiohttp.access"]
    assert any('"GET /enter" 303' in line for line in lines)
    assert place.tokens[Role.ADMIN].secret not in "".join(lines)


async def enter(place: Place, token: str, **headers: str) -> aiohttp.ClientResponse:
    return await place.session.post(
        f"{place.url}/enter", data={"token": token}, headers=headers, allow_redirects=False
    )


def cookie_of(entered: aiohttp.ClientResponse) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={entered.cookies[COOKIE].value}"}


async def key_in(place: Place, cookie: dict[str, str]) -> str:
    """Return the key of the forms of a session."""
    found = re.search(r'name="form_key" value="([^"]+)"', (await place.ask("GET", "/", headers=cookie)).text)
    assert found
    return found[1]


async def test_a_link_opens_one_session_and_no_other(place: Place) -> None:
    made = await link(place.book, CAUSE)
    assert made
    bearer = {"Authorization": f"Bearer {made.text}"}
    assert (await place.ask("GET", "/api/tasks", headers=bearer)).status == 403
    path = f"{place.url}/enter?token={made.text}"
    async with place.session.get(path, allow_redirects=False) as entered:
        assert entered.status == 303
    assert (await place.ask("GET", "/ai/settings", headers=cookie_of(entered))).status == 200
    async with place.session.get(path, allow_redirects=False) as again:
        assert (again.status, COOKIE in again.cookies) == (401, False)
        shown = await again.text()
        assert "this link was used already" in shown
        assert "aps token create --role admin" in shown
    state = await place.book.state(ACCESS, made.id)
    assert state.revoked == Revoked(reason="used")


async def test_who_left_is_out_with_every_copy_of_the_cookie_at_every_gateway(place: Place) -> None:
    token = place.tokens[Role.OPERATOR].text
    cookie, sister = cookie_of(await enter(place, token)), cookie_of(await enter(place, token))
    form = {"form_key": await key_in(place, cookie)}
    async with place.session.post(
        f"{place.url}/leave", data=form, headers=cookie, allow_redirects=False
    ) as left:
        assert (left.status, left.headers["Location"]) == (303, "/enter")
    settings = place.ground.settings.model_copy(update={"port": free_port()})
    async with serving(replace(place.ground, settings=settings)) as url:
        for one in (place, replace(place, url=url)):
            assert (await one.ask("GET", "/api/tasks", headers=cookie)).status == 401
    assert (await place.ask("GET", "/api/tasks", headers=sister)).status == 200


async def test_every_token_that_lets_nobody_in_is_told_and_the_form_shown_again(place: Place) -> None:
    await revoke(place.book, place.tokens[Role.VIEWER].id, "lost", CAUSE)
    for token, status, told in (
        (mint().text, 401, NOBODY),
        (place.tokens[Role.VIEWER].text, 401, place.tokens[Role.VIEWER].id),
        (place.tokens[Role.AGENT].text, 403, place.tokens[Role.AGENT].id),
    ):
        before = (await place.book.state(ACCESS, told)).denied
        said = await enter(place, token)
        assert said.status == status
        assert status != 401 or 'name="token"' in await said.text()
        assert (await place.book.state(ACCESS, told)).denied == before + 1
    by_link = await place.ask("GET", f"/enter?token={mint().text}")
    assert (by_link.status, 'name="token"' in by_link.text) == (401, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({}, 303),
    ],
)
async def test_no_other_site_lets_anybody_in(place: Place, headers: dict[str, str], status: int) -> None:
    token = place.tokens[Role.VIEWER].text
    assert (await enter(place, token, **headers)).status == status
    assert (await place.ask("GET", f"/enter?token={token}", headers=headers)).status == status
    assert (await place.book.state(ACCESS, NOBODY)).denied == 2 * (status == 403)


async def test_the_form_of_a_browser_that_tells_only_its_origin_is_ours(place: Place) -> None:
    assert (await place.ask("GET", "/enter")).headers["Referrer-Policy"] == "same-origin"
    assert (await enter(place, place.tokens[Role.VIEWER].text, Origin=place.url)).status == 303


async def test_a_flood_of_anybody_takes_nothing_from_those_who_watch(place: Place) -> None:
    flood = [(await place.ask("GET", "/enter")).status for _ in range(NOBODYS_RATE.at_once * 2)]
    assert 429 in flood
    assert (await place.ask("GET", "/livez")).status == 200
    assert (await place.ask("GET", "/readyz")).status == 200


@pytest.mark.parametrize("sent", [b"", b"GET /enter HTTP/1.1\r\nHos"])
async def test_a_connection_on_which_no_whole_request_comes_is_ended(sent: bytes) -> None:
    runner = runner_of(web.Application(), idle_seconds=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(sent)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()
    finally:
        await runner.cleanup()


async def test_no_other_site_uses_a_link_up(place: Place) -> None:
    made = await link(place.book, CAUSE)
    assert made
    path = f"/enter?token={made.text}"
    assert (await place.ask("GET", path, headers={"Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await place.ask("GET", path)).status == 303  # the link was not used up by that


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"Sec-Purpose": "prefetch"}, 503),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("GET", {"Purpose": "prefetch"}, 503),
    ],
)
async def test_who_looks_ahead_does_not_use_a_link_up(
    place: Place, method: str, headers: dict[str, str], status: int
) -> None:
    made = await link(place.book, CAUSE)
    assert made
    path = f"/enter?token={made.text}"
    ahead = await place.ask(method, path, headers=headers)
    assert (ahead.status, "Set-Cookie" in ahead.headers) == (status, False)
    assert (await place.ask("GET", path)).status == 303


@pytest.mark.parametrize(
    "then",
    ["/enter?token=x", "/leave", "/%65nter?token=x", "/ai/../enter", "/./enter", "/enter/", "/x\\..\\enter"],
)
async def test_entering_leads_to_no_other_way_in_or_out(place: Place, then: str) -> None:
    query = urlencode({"token": place.tokens[Role.VIEWER].text, "then": then})
    said = await place.ask("GET", f"/enter?{query}")
    assert (said.status, said.headers["Location"]) == (303, "/")
    assert "token=x" not in (await place.ask("GET", f"/enter?{urlencode({'then': then})}")).text
