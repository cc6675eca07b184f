"""Who is registered as an agent from outside, and what they hold, as operators see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.access import Role
from tests.gateway_place import Place
from tests.log_server import LogServer
from tests.outside_agents import HAND, ID, asked_and_designed, claimed, do


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with asked_and_designed(server, database, tmp_path, free_port) as opened:
        yield opened


async def test_who_is_registered_is_listed_with_what_they_hold_and_since_when(place: Place) -> None:
    assert (await place.ask("GET", "/api/agents", Role.VIEWER)).json["items"] == []
    began = await place.seen()
    token, agent = (await claimed(place)).json["claim"], place.tokens[Role.AGENT].id
    (one,) = (await place.ask("GET", "/api/agents", Role.VIEWER)).json["items"]
    assert (one["id"], one["title"], one["capabilities"]) == (agent, "a hand", ["python"])
    assert (one["present"], one["holding"], one["capacity"]) == (True, [ID], 1)
    assert (await do(place, f"work/{ID}/renew", {"claim": token})).status == 200
    (renewed,) = (await place.ask("GET", "/api/agents", Role.VIEWER)).json["items"]
    assert renewed["last_heard"] > one["last_heard"]
    held = await place.seen()
    assert (await do(place, "agents/leave")).status == 202
    (left,) = (await place.ask("GET", "/api/agents", Role.VIEWER)).json["items"]
    assert (left["present"], left["holding"]) == (False, [])
    then = (await place.ask("GET", f"/api/agents?at={held}", Role.VIEWER)).json
    assert (then["items"], then["position"]) == ([renewed], held)
    assert (await place.ask("GET", f"/api/agents?at={began}", Role.VIEWER)).json["items"] == []
    assert (await place.ask("GET", "/api/agents", Role.AGENT)).status == 403


async def test_the_page_of_tasks_shows_agents_or_says_how_one_comes(place: Place) -> None:
    began = await place.seen()
    assert "No agent from outside is registered" in (await place.ask("GET", "/ai/tasks", Role.VIEWER)).text
    hostile = {"title": "<b>hand</b>", "capabilities": ["\u202ego"]}
    assert (await do(place, "agents", HAND | hostile)).status == 201
    assert (await do(place, f"work/{ID}/claim")).status == 201
    shown = (await place.ask("GET", "/ai/tasks", Role.VIEWER)).text
    assert "&lt;b&gt;hand" in shown
    assert "\u202e" not in shown
    assert f'<a href="/ai/improvements/{ID}">' in shown
    before = (await place.ask("GET", f"/ai/tasks?at={began}", Role.VIEWER)).text
    assert "No agent from outside is registered" in before
