"""A server that is gone, or says nothing, keeps no request waiting: it is named soon, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.access import Role
from services.runtime.embedded.addresses import free_port as find_free_port
from services.runtime.ground import Ground
from tests.gateway_place import Place, Said, ground_at, open_place, serving
from tests.log_server import LogServer
from tests.lossy_wire import Wire

PATIENCE = 60.0
SOON = 7.0  # it takes three seconds or so; without a bound ten, or for ever


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        yield opened


@asynccontextmanager
async def another(place: Place, ground: Ground) -> AsyncIterator[Place]:
    """A gateway on other ways to the same servers, which knows the place's viewer and operator."""
    settings = ground.settings.model_copy(update={"port": find_free_port()})
    async with serving(replace(ground, settings=settings)) as url:
        opened = replace(place, url=url)
        for role in (Role.VIEWER, Role.OPERATOR):
            assert (await opened.ask("GET", "/api/improvements", role)).status == 200
        yield opened


@asynccontextmanager
async def over_wire_to_nats(place: Place, server: LogServer) -> AsyncIterator[tuple[Place, Wire]]:
    wire = Wire(server.port)
    url = f"nats://127.0.0.1:{await wire.begin()}"
    async with another(place, replace(place.ground, nats_url=url)) as opened:
        try:
            yield opened, wire
        finally:
            wire.flow()
    await wire.cut()


@asynccontextmanager
async def over_wire_to_postgresql(place: Place, database: str) -> AsyncIterator[tuple[Place, Wire]]:
    port = urlsplit(database).port
    assert port is not None
    wire = Wire(port)
    url = database.replace(f":{port}", f":{await wire.begin()}")
    async with another(place, replace(place.ground, database_url=url)) as opened:
        try:
            yield opened, wire
        finally:
            wire.flow()
    await wire.cut()


async def soon(place: Place, method: str, path: str, role: Role) -> Said:
    async with asyncio.timeout(SOON):
        return await place.ask(method, path, role, {} if method == "POST" else None)


async def answered(place: Place, path: str) -> Said:
    """Ask until what is asked for can be told again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            said = await place.ask("GET", path, Role.VIEWER)
            if said.status != HTTPStatus.SERVICE_UNAVAILABLE:
                return said
            await asyncio.sleep(0.1)  # more requests at once are answered otherwise


@pytest.mark.parametrize("how", ["gone", "silent"])
async def test_without_nats_what_needs_the_log_is_refused_soon(
    place: Place, server: LogServer, how: str
) -> None:
    async with over_wire_to_nats(place, server) as (opened, wire):
        await wire.cut() if how == "gone" else wire.stall()
        for method, path, role in (
            ("GET", "/api/events", Role.VIEWER),
            ("GET", "/api/dead-letters", Role.VIEWER),
            ("POST", "/api/pause", Role.OPERATOR),
        ):
            said = await soon(opened, method, path, role)
            assert (said.status, "NATS" in said.json["detail"]) == (503, True), (path, said.text)
            assert int(said.headers["Retry-After"]) > 0
        assert (await soon(opened, "GET", "/api/improvements", Role.VIEWER)).status == 200
        tasks = await soon(opened, "GET", "/ai/tasks", Role.VIEWER)
        assert (tasks.status, "NATS is away" in tasks.text) == (200, True)


async def test_nats_that_was_silent_is_found_again(place: Place, server: LogServer) -> None:
    async with over_wire_to_nats(place, server) as (opened, wire):
        wire.stall()
        assert (await soon(opened, "GET", "/api/events", Role.VIEWER)).status == 503
        wire.flow()
        assert (await answered(opened, "/api/events")).status == 200


async def test_without_a_word_of_postgresql_its_reads_are_refused_soon_and_the_log_goes_on(
    place: Place, database: str
) -> None:
    async with over_wire_to_postgresql(place, database) as (opened, wire):
        wire.stall()
        measured = await soon(opened, "GET", "/metrics", Role.VIEWER)
        assert (measured.status, 'aps_source_up{source="work"} 0.0' in measured.text) == (200, True)
        whole = await soon(opened, "GET", "/", Role.VIEWER)
        assert (whole.status, "PostgreSQL is away" in whole.text) == (503, True)
        for path in ("/api/improvements", "/api/tasks"):
            said = await soon(opened, "GET", path, Role.VIEWER)
            assert (said.status, "PostgreSQL is away" in said.json["detail"]) == (503, True), said.text
        assert (await soon(opened, "GET", "/api/events", Role.VIEWER)).status == 200
        assert (await soon(opened, "GET", "/readyz", Role.VIEWER)).status == 503
        wire.flow()
        assert (await answered(opened, "/api/improvements")).status == 200
