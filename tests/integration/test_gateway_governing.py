"""The pages for who runs the system: what everything stands on, which settings hold, and no secret."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from events.rights import ROLES
from schemas.access import Role
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer

SECRET = "hush-this-is-the-root-of-every-signature"


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    ground = ground_at(server, database, tmp_path / "home", free_port)
    given = {"secret_key_base": SecretStr(SECRET), "lease_seconds": 77}
    ground = replace(ground, settings=ground.settings.model_copy(update=given))
    async with open_place(ground) as opened:
        yield opened


async def test_the_system_page_shows_streams_what_waits_and_views(place: Place) -> None:
    await place.seen()
    said = await place.ask("GET", "/ai/system", Role.VIEWER)
    assert said.status == 200, said.text
    for name in ("APS", "DEAD_LETTERS", "TELEMETRY", *ROLES, "improvement_board", "0 events behind the log"):
        assert name in said.text, name


async def test_the_settings_page_shows_what_holds_and_no_secret(place: Place) -> None:
    said = await place.ask("GET", "/ai/settings", Role.ADMIN)
    assert said.status == 200, said.text
    for shown in (
        "APS_AUTONOMY",
        "medium",
        "APS_LEASE_SECONDS",
        "77",
        "SECRET_KEY_BASE",
        "No engine was called yet",
    ):
        assert shown in said.text, shown
    assert SECRET not in said.text
    assert "p-pm" not in said.text


async def test_the_audit_names_people_by_the_titles_of_their_tokens(place: Place) -> None:
    token = place.tokens[Role.OPERATOR]
    assert (await place.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "look"})).status == 202
    await place.seen()
    said = await place.ask("GET", "/ai/audit", Role.VIEWER)
    assert re.search(rf"<td>operator \(gateway@[^<]*/{token.id}\)</td>", said.text), said.text
