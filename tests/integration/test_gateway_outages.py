"""What holds across a restart of the gateway, and while NATS or PostgreSQL is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest

from events.improvement import IMPROVEMENT
from events.swarm import ALL, SWARM, Paused, Resumed
from schemas.access import Role
from services.access.tokens import grant
from services.runtime.embedded.addresses import free_port as find_free_port
from tests import projection_facts as f
from tests.gateway_place import CAUSE, Place, ground_at, open_place, serving
from tests.log_server import LogServer
from tests.lossy_wire import Wire

PATIENCE = 60.0


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        async with opened.ground.log("admin") as (_, everybody):
            await everybody.record(IMPROVEMENT, "imp-1", f.discovered(), cause=CAUSE)
        await opened.seen()
        yield opened


@asynccontextmanager
async def another(place: Place, port: int) -> AsyncIterator[Place]:
    """Another gateway on the same log and views, which remembers nothing of the first."""
    settings = place.ground.settings.model_copy(update={"port": port})
    async with serving(replace(place.ground, settings=settings)) as url:
        yield replace(place, url=url)


async def heard(place: Place, after: int | None, until: int) -> list[int]:
    """Follow the stream after an event until it told of `until`; return the ids that came."""
    headers = {"Authorization": f"Bearer {place.tokens[Role.VIEWER].text}"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    ids: list[int] = []
    async with (
        asyncio.timeout(PATIENCE),
        place.session.get(
            f"{place.url}/api/events/stream", headers=headers, timeout=aiohttp.ClientTimeout(None)
        ) as answer,
    ):
        assert answer.status == 200
        async for line in answer.content:
            if line.startswith(b"id: "):
                ids.append(int(line[4:]))
            if line.startswith(b"data: "):
                orjson.loads(line[6:])
                if ids[-1] >= until:
                    break
    return ids


async def test_a_command_sent_again_after_a_restart_happens_once(place: Place) -> None:
    key, port = {"Idempotency-Key": "one"}, find_free_port()
    async with another(place, port) as first:
        said = await first.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "look"}, key)
    await place.book.record(SWARM, ALL, Resumed(), cause=CAUSE)
    async with another(place, port) as second:
        again = await second.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "look"}, key)
        other = await second.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "look"})
    assert (said.status, again.status, other.status) == (202, 202, 202)
    events, _ = await place.book.store.read(SWARM.name, ALL)
    assert [one.envelope.address.fact for one in events] == ["paused", "resumed", "paused"]


async def test_a_listener_misses_and_repeats_nothing_across_a_restart(place: Place) -> None:
    port, begin = find_free_port(), await place.book.store.head()
    for number in range(3):
        await place.book.record(SWARM, ALL, Paused(reason=str(number)), Resumed(), cause=CAUSE)
    async with another(place, port) as first:
        ids = await heard(first, begin, begin + 4)
    for number in range(3):
        await place.book.record(SWARM, ALL, Paused(reason=str(number)), Resumed(), cause=CAUSE)
    async with another(place, port) as second:
        last = ids[-1]
        ids += await heard(second, last, begin + 12)
    assert ids == list(range(begin + 1, begin + 13))


@pytest.mark.parametrize("sent", ["x", "-1", "1.5", "9" * 30])
async def test_what_is_no_event_id_is_refused(place: Place, sent: str) -> None:
    said = await place.ask("GET", "/api/events/stream", Role.VIEWER, headers={"Last-Event-ID": sent})
    assert said.status == 422


async def test_without_postgresql_the_log_is_still_read_and_written(place: Place) -> None:
    nowhere = f"postgresql://aps@127.0.0.1:{find_free_port()}/aps"
    port = find_free_port()
    async with another(replace(place, ground=replace(place.ground, database_url=nowhere)), port) as cut:
        for path in ("/api/improvements", "/api/targets", "/api/tasks", "/api/improvements/imp-1"):
            said = await cut.ask("GET", path, Role.VIEWER)
            assert said.status == 503, path
            assert "PostgreSQL is away" in said.json["detail"]
            assert int(said.headers["Retry-After"]) > 0
        events = await cut.ask("GET", "/api/events", Role.VIEWER)
        assert (events.status, len(events.json["items"]) > 0) == (200, True)
        assert (await cut.ask("GET", "/api/dead-letters", Role.VIEWER)).status == 200
        assert (await cut.ask("POST", "/api/pause", Role.OPERATOR, {})).status == 202


async def test_without_nats_the_views_are_still_read_and_nothing_is_promised(
    place: Place, server: LogServer
) -> None:
    wire, port = Wire(server.port), find_free_port()
    ground = replace(place.ground, nats_url=f"nats://127.0.0.1:{await wire.begin()}")
    async with another(replace(place, ground=ground), port) as cut:
        known = await cut.ask("GET", "/api/improvements", Role.VIEWER)
        assert (await cut.ask("POST", "/api/pause", Role.OPERATOR, {"reason": "known"})).status == 202
        await place.seen()
        await wire.cut()
        said = await cut.ask("GET", "/api/improvements", Role.VIEWER)
        assert (said.status, said.json["items"]) == (200, known.json["items"])
        for method, path, role in (
            ("GET", "/api/events", Role.VIEWER),
            ("GET", "/api/dead-letters", Role.VIEWER),
            ("POST", "/api/resume", Role.OPERATOR),
        ):
            said = await cut.ask(method, path, role, {} if method == "POST" else None)
            assert said.status == 503, (path, said.text)
            assert "NATS" in said.json["detail"]
        stranger = {"Authorization": f"Bearer {(await grant(place.book, 'new', Role.VIEWER, CAUSE)).text}"}
        said = await cut.ask("GET", "/api/improvements", headers=stranger)
        assert (said.status, "NATS is away" in said.json["detail"]) == (503, True)
    assert (await place.book.state(SWARM, ALL)).paused == Paused(reason="known")
