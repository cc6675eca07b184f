"""Building views anew, switching to them and back, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from events.memory import InMemoryEventStore
from events.store import Broken
from projections.comparison import CORE, Compared
from projections.database import OtherVersions, lead
from projections.projector import Projector
from projections.queries import Views
from projections.rebuild import NothingKept, rebuild, rebuild_and_compare, replayed, switch_back
from projections.table import within
from projections.views.catalogue import VIEWS
from tests import projection_facts as f
from tests.projection_facts import CYCLE, Clock, tell

if TYPE_CHECKING:
    from projections.connection import Pool

PATIENCE = 20.0
NEWER = (replace(VIEWS[0], version=VIEWS[0].version + 1), *VIEWS[1:])
ALL_TABLES = (*CORE, *(Compared(view.name, view.table.key) for view in VIEWS))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=8) as made:
        yield made


@pytest.fixture
def store() -> InMemoryEventStore:
    return InMemoryEventStore(Clock())


async def dump(pool: Pool, schema: str) -> list[str]:
    """Every row of every table, as text."""
    rows: list[str] = []
    for table in ALL_TABLES:
        question = table.asking("select t::text from (select {columns} from {schema}.{table}) t order by 1")
        rows += [f"{table.name} {row[0]}" for row in await pool.fetch(within(schema, question))]
    return rows


async def test_two_rebuilds_are_equal_byte_for_byte(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    await rebuild(store, pool)
    await rebuild(store, pool)
    first, second = await dump(pool, "aps_before"), await dump(pool, "aps")
    assert len(first) > len(CYCLE)
    assert first == second


async def test_one_returns_to_the_views_before_the_switch(store: InMemoryEventStore, pool: Pool) -> None:
    views = Views(pool)
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    await rebuild(store, pool)
    await pool.execute("update aps.improvement_board set title = 'a bad rebuild'")
    head = await tell(store, [("target", "toolz", f.scan_requested("s2"))])
    await Projector(store, pool).catch_up()
    assert (await switch_back(store, pool)).seq == head
    assert (await views.improvements())[0].title == "Remove unused imports"
    assert (await views.targets())[0].scan == "s2"
    assert await rebuild_and_compare(store, pool) == []
    await switch_back(store, pool)
    assert (await views.improvements())[0].title == "a bad rebuild"


async def test_one_returns_to_a_release_whose_views_were_replaced(
    store: InMemoryEventStore, pool: Pool
) -> None:
    await tell(store, CYCLE[:10])
    await Projector(store, pool).catch_up()
    await rebuild(store, pool, NEWER)
    await tell(store, CYCLE[10:])
    await Projector(store, pool, NEWER).catch_up()
    await switch_back(store, pool, VIEWS)
    assert (await Projector(store, pool).catch_up()).seq == len(CYCLE)
    assert await rebuild_and_compare(store, pool) == []


async def test_a_release_does_not_return_to_views_that_it_does_not_make(
    store: InMemoryEventStore, pool: Pool
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    await rebuild(store, pool, NEWER)
    with pytest.raises(OtherVersions):
        await switch_back(store, pool, NEWER)
    assert (await Projector(store, pool, NEWER).catch_up()).seq == len(CYCLE)


async def test_without_a_switch_there_is_nothing_to_return_to(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    with pytest.raises(NothingKept, match="rebuild"):
        await switch_back(store, pool)


async def test_a_running_projector_goes_on_with_the_views_returned_to(
    store: InMemoryEventStore, pool: Pool
) -> None:
    views = Views(pool)
    task = asyncio.create_task(Projector(store, pool).follow())
    try:
        await views.wait_until(await tell(store, CYCLE[:20]), PATIENCE)
        await rebuild(store, pool)
        await views.wait_until(await tell(store, CYCLE[20:]), PATIENCE)
        await switch_back(store, pool)
        await views.wait_until(await tell(store, [("target", "toolz", f.scan_requested("s2"))]), PATIENCE)
        assert (await views.targets())[0].scan == "s2"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert await rebuild_and_compare(store, pool) == []


async def test_two_do_not_rebuild_at_the_same_time(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    async with pool.acquire() as other:
        assert await lead(other, "aps_next")
        with pytest.raises(Exception, match="another rebuild of aps is under way"):
            await rebuild(store, pool)


async def test_a_replay_leaves_nothing_behind(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    (board,) = (view for view in VIEWS if view.name == "improvement_board")
    async with replayed(store, pool, [board], 10) as there:
        (row,) = await there.rows(board.table)
        assert (there.at.seq, row.valid_from_seq, row.valid_to_seq) == (10, 10, None)
    assert await pool.fetchval("select count(*) from pg_namespace where nspname like 'aps%'") == 0


async def test_a_replay_of_a_broken_log_says_where(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    events = [event async for event in store.read_all()]
    altered = replace(events[7], envelope=replace(events[7].envelope, actor="somebody else"))

    class Altered(InMemoryEventStore):
        def __init__(self) -> None:
            super().__init__(Clock())
            self._log = [*events[:7], altered, *events[8:]]

    with pytest.raises(Broken, match=r"event 8 .* was altered"):
        async with replayed(Altered(), pool, VIEWS, len(events)):
            pass
