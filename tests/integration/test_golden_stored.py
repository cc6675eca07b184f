"""A golden history is what a real server stores, byte for byte, and its rows are what PostgreSQL gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import orjson
import pytest

from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryEventStore
from events.store import Recorded
from events.subjects import STREAM
from projections.projector import Projector
from projections.table import as_json, within
from projections.views.catalogue import VIEWS
from tests.golden_history import History, histories, recorded
from tests.golden_story import story
from tests.golden_telling import BEGAN
from tests.log_server import LogServer, started

if TYPE_CHECKING:
    from projections.connection import Pool


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("golden"))
    yield server
    server.kill()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as made:
        yield made


class Kept(InMemoryEventStore):
    """The log of a golden history."""

    def __init__(self, history: History) -> None:
        super().__init__(lambda: BEGAN)
        self.events = history.events

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        for event in self.events[after:until]:
            yield event

    async def head(self) -> int:
        return len(self.events)


async def test_a_real_server_stores_the_very_bytes(server: LogServer) -> None:
    await server.wipe()
    in_memory = await recorded(story())
    async with server.connection("admin") as connection:
        events = await recorded(story(), lambda clock: JetStreamEventStore(connection, clock))
        stream = connection.jetstream()
        stored = [(await stream.get_msg(STREAM, event.seq)).data for event in events]
    assert stored == [event.envelope.encode() for event in in_memory]


@pytest.mark.parametrize("history", histories(), ids=lambda history: history.folder.name)
async def test_postgresql_gives_the_recorded_rows(history: History, pool: Pool) -> None:
    at = await Projector(Kept(history), pool).catch_up()
    assert at.seq == len(history.lines)
    for view in VIEWS:
        query = f"select * from {{schema}}.{view.name}"  # noqa: S608 -- the name of our own view
        found = await pool.fetch(within("aps", query))
        rows = [view.table.read(row) for row in found]
        expected = history.outcome["rows"][view.name]["rows"]
        shown = {"/".join(map(str, view.table.key_of(row))): orjson.loads(as_json([row]))[0] for row in rows}
        assert shown == expected
