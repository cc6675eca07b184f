"""A stream is never removed under a service that runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.jetstream.stream_reader import StreamReader
from events.subjects import STREAM
from services.cli.session import Exit
from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground, set_up
from services.runtime.role import announce
from services.runtime.settings import load
from tests.cli_place import Ended, Place
from tests.conftest import run
from tests.projection_facts import CYCLE, tell

pytestmark = pytest.mark.slow
ANEW = ("restore", "--journal", "--anew", "--yes")


@pytest.fixture
def ground(home: Path) -> Iterator[Ground]:
    servers = EmbeddedServers(home)

    async def begin() -> Ground:
        await servers.join()
        ground = Ground(load({"APS_HOME": str(home)}), servers.nats_url, servers.database_url, servers)
        await set_up(ground)
        async with ground.log("admin") as (_, book):
            await tell(book.store, CYCLE)
        return ground

    yield run(begin())
    run(servers.leave())
    run(EmbeddedServers(home).erase())


async def made(ground: Ground) -> str:
    """When the stream was made."""
    async with ground.log("admin") as (connection, _):
        return await StreamReader(connection, STREAM).made()


async def beside_qa(ground: Ground, place: Place) -> Ended:
    """Restore while a copy of QA answers."""
    async with ground.log("qa") as (connection, _):
        service = await announce(connection, "qa", "a test", "qa@here/1")
        try:
            return await asyncio.to_thread(place.aps, *ANEW)
        finally:
            await service.stop()


def test_the_log_is_not_written_anew_while_a_service_answers_and_is_once_none_does(ground: Ground) -> None:
    place = Place(ground.settings.home)
    assert place.aps("improvements", "list").code == Exit.OK
    before = run(made(ground))
    refused = run(beside_qa(ground, place))
    assert (refused.code, "qa (qa@here/1)" in refused.err) == (Exit.CONFLICT, True), refused
    assert "Stop every service first" in refused.err
    assert run(made(ground)) == before
    assert place.aps(*ANEW).code == Exit.OK
    assert run(made(ground)) != before
