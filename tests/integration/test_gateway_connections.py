"""One address may have so many connections open at the gateway and no more; others are served on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
import structlog

from services.gateway.http.problems import MEDIA_TYPE
from services.runtime.settings import WrongSettings
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer

PATIENCE = 30
MOST, TRIED = 8, 20
LIVE = b"GET /livez HTTP/1.1\r\nHost: aps\r\n\r\n"

Both = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    most = {"APS_CONNECTIONS_PER_ADDRESS": str(MOST)}
    async with open_place(ground_at(server, database, tmp_path, free_port, **most)) as opened:
        yield opened


@asynccontextmanager
async def crowd(place: Place) -> AsyncIterator[list[Both]]:
    """Connect often from this address."""
    at = place.ground.settings.host, place.ground.settings.port
    both = [await asyncio.open_connection(*at) for _ in range(TRIED)]
    try:
        yield both
    finally:
        for _, writer in both:
            writer.close()


async def refused_of(both: list[Both]) -> dict[int, bytes]:
    """Return what was said to those connections that were ended, as soon as no more are to be."""
    reading = {asyncio.create_task(reader.read()): number for number, (reader, _) in enumerate(both)}
    ended: set[asyncio.Task[bytes]] = set()
    async with asyncio.timeout(PATIENCE):
        while len(ended) < TRIED - MOST:
            done, _ = await asyncio.wait(reading.keys() - ended, return_when=asyncio.FIRST_COMPLETED)
            ended |= done
    for task in reading.keys() - ended:
        task.cancel()
    await asyncio.wait(reading)
    return {number: task.result() for task, number in reading.items() if not task.cancelled()}


async def test_who_has_all_the_connections_he_may_have_is_told_so_and_served_on_those(place: Place) -> None:
    with structlog.testing.capture_logs() as lines:
        async with crowd(place) as both:
            refused = await refused_of(both)
            assert len(refused) >= TRIED - MOST
            for said in refused.values():
                assert said.startswith(b"HTTP/1.1 503 ")
                assert MEDIA_TYPE.encode() in said
            reader, writer = next(one for number, one in enumerate(both) if number not in refused)
            writer.write(LIVE)
            async with asyncio.timeout(PATIENCE):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    told = [one for one in lines if one["event"] == "too many connections"]
    assert [(one["address"], one["most"]) for one in told] == [("127.0.0.1", MOST)]


async def test_there_is_room_again_once_connections_are_closed(place: Place) -> None:
    async with crowd(place) as both:
        await refused_of(both)
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as another:
        while True:
            with suppress(aiohttp.ClientConnectionError):  # refused still: not all are closed there yet
                async with another.get(f"{place.url}/livez") as answer:
                    if answer.status == 200:
                        return


@pytest.mark.parametrize("given", ["0", "-1", "many"])
def test_a_number_that_lets_nobody_in_is_no_setting(
    server: LogServer, tmp_path: Path, free_port: int, given: str
) -> None:
    with pytest.raises(WrongSettings, match="APS_CONNECTIONS_PER_ADDRESS"):
        ground_at(server, "postgresql://here/there", tmp_path, free_port, APS_CONNECTIONS_PER_ADDRESS=given)


async def test_a_body_that_is_not_packed_as_it_says_is_no_failure_of_ours(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with structlog.testing.capture_logs() as lines:
        for path in ("/api/webhooks/github", "/api/pause", "/nowhere"):
            async with (
                aiohttp.ClientSession() as stranger,
                stranger.post(f"{place.url}{path}", data=b"nogzip", headers=headers) as answer,
            ):
                assert 400 <= answer.status < 500
        async with asyncio.timeout(PATIENCE):
            while not any(line["event"] == "a body was broken that nobody read" for line in lines):
                await asyncio.wait([asyncio.create_task(place.ask("GET", "/livez"))])
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []
