"""Whether work goes on can be read where a pause says that it is told: of the swarm and of each target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.target import TARGET, Registered
from schemas.access import Role
from tests.gateway_place import CAUSE, Place, ground_at, open_place
from tests.log_server import LogServer


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    """A gateway and two targets."""
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        for id in ("shop-1", "shop-2"):
            await opened.book.record(TARGET, id, Registered(path="/x", title=id, origin="/x"), cause=CAUSE)
        yield opened


async def test_a_swarm_that_was_never_paused_is_told_as_going_on(place: Place) -> None:
    said = await place.ask("GET", "/api/swarm", Role.VIEWER)
    assert said.status == 200, said.text
    assert (said.json["paused"], said.json["since"], said.json["by"], said.json["version"]) == (
        False,
        None,
        "",
        0,
    )
    assert [(one["id"], one["paused"]) for one in said.json["targets"]] == [
        ("shop-1", False),
        ("shop-2", False),
    ]


async def test_a_pause_says_where_it_is_told_and_there_stands_by_whom_since_when_and_why(
    place: Place,
) -> None:
    paused = await place.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "holidays"})
    told = (await place.ask("GET", paused.json["see"], Role.VIEWER)).json
    assert (told["paused"], told["by"], told["reason"]) == (True, "operator", "holidays")
    assert told["since"] > "2026"
    assert told["version"] == paused.json["version"]
    resumed = await place.ask("POST", "/api/resume", Role.ADMIN, {})
    told = (await place.ask("GET", resumed.json["see"], Role.VIEWER)).json
    assert (told["paused"], told["by"], told["reason"]) == (False, "admin", "")


async def test_a_target_is_paused_by_itself(place: Place) -> None:
    paused = await place.ask("POST", "/api/targets/shop-2/pause", Role.OPERATOR, {"reason": "audit"})
    assert paused.status == 202, paused.text
    told = (await place.ask("GET", paused.json["see"], Role.VIEWER)).json
    assert told["paused"] is False
    assert [(one["id"], one["paused"], one["reason"]) for one in told["targets"]] == [
        ("shop-1", False, ""),
        ("shop-2", True, "audit"),
    ]
