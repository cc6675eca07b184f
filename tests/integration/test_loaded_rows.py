"""What is loaded as a sheet stands in PostgreSQL as what is applied event by event, whatever the text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from events.memory import InMemoryEventStore
from projections.projector import Projector
from projections.queries import Views
from projections.rebuild import rebuild, rebuild_and_compare, replayed
from projections.views.catalogue import VIEWS
from tests import projection_facts as f
from tests.projection_facts import Clock, tell

if TYPE_CHECKING:
    from projections.connection import Connection, Pool

TEXTS = (
    "",
    " ",
    "null",
    "NULL",
    r"\N",
    r"\.",
    "a,b",
    "it's",
    '"quoted"',
    '"',
    "\\",
    '\\"',
    '\\\\"\n',
    r"\n is no newline, \t no tab, \u0041 no A",
    "two\nlines",
    "a\r\nb\r",
    "tab\tbed",
    "\b\f\x01\x1f\x7f",
    "nul\0 and \0",
    '{a,"b",null}',
    "ü 漢字 🙂 \u2028",
)

NOT_LOGGED = """
select count(*) from pg_class
where relnamespace = $1::text::regnamespace and relkind = 'r' and relpersistence = 'u'
"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=3) as made:
        yield made


async def test_any_text_stands_in_the_views_as_it_was_told(pool: Pool) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await Projector(store, pool).catch_up()  # what follows is applied event by event
    for rank, text in enumerate(TEXTS):
        facts = f.discovered(rank=rank, title=text, rule=text, files=(text, "a.py", text)), f.claimed()
        await tell(store, [("improvement", f"imp-{rank}", fact) for fact in facts])
    await Projector(store, pool).catch_up()
    assert await rebuild_and_compare(store, pool) == []
    await rebuild(store, pool)
    for rank, text in enumerate(TEXTS):
        row, kept = await views.improvement(f"imp-{rank}"), text.replace("\0", "\ufffd")
        assert row is not None
        assert (row.title, row.rule, row.reason, row.blocked) == (kept, kept, "", "")
        assert (row.files, row.valid_to_seq) == ((kept, "a.py", kept), None)


async def empty_after_a_crash(connection: Connection, schema: str) -> int:
    return int(await connection.fetchval(NOT_LOGGED, schema))


async def test_only_views_to_look_at_may_be_lost_in_a_crash(pool: Pool) -> None:
    store = InMemoryEventStore(Clock())
    await rebuild(store, pool)
    async with pool.acquire() as connection:
        assert await empty_after_a_crash(connection, "aps") == 0
    async with replayed(store, pool, VIEWS, 0) as there:
        assert await empty_after_a_crash(there.connection, there.schema) == len(VIEWS)
