"""The way in and out: what a link, a form and a session are worth, and what is told of those refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schemas.access import Role
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer, started


@pytest.fixture(scope="module")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("entering"))
    yield server
    server.kill()


@pytest.fixture
async def place(log_server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    await log_server.wipe()
    async with open_place(ground_at(log_server, database, tmp_path, free_port)) as opened:
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
