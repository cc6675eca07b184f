"""Any view as of any event: what the ranges give is what a replay up to that event gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import budget, run
from events.improvement_facts import Abandoned, Reprioritised, Retried
from events.lease import WorkReleased, WorkRenewed
from events.memory import InMemoryEventStore
from projections.projector import Projector
from projections.queries import Views
from projections.rebuild import Replayed, rebuild_and_compare, replayed
from projections.step import View
from projections.table import within
from projections.views.catalogue import VIEWS
from projections.views.engine_usage import By
from tests import projection_facts as f
from tests.projection_facts import CYCLE, START, Clock, Told, tell

if TYPE_CHECKING:
    from projections.connection import Pool

LATER = START + timedelta(hours=1)
DISPUTED: tuple[Told, ...] = tuple(
    ("improvement", "imp-2", fact)
    for fact in (
        f.discovered(rank=2),
        f.claimed("pm-1", seconds=10**6),
        WorkRenewed(claim=2, lease_until=LATER),
        Reprioritised(rank=7, reason="asked for"),
        WorkReleased(claim=2, reason="shutting down"),
        f.claimed("pm-2", seconds=1),
        f.claimed("pm-3", seconds=10**6),
        Abandoned(reason="not wanted"),
        Retried(reason="wanted after all"),
    )
)
RUNS: tuple[Told, ...] = (
    ("run", "r2", f.run_requested("imp-2")),
    ("run", "r3", f.run_requested("imp-2")),
    ("run", "r2", run.Started()),
    ("run", "r3", run.Reused(run="r1")),
    ("run", "r2", run.Failed(duration_ms=5, reason="no answer")),
)
BUDGET: tuple[Told, ...] = tuple(
    ("budget", "day-2026-03-01", fact)
    for fact in (
        budget.Opened(limit_micros=10, limit_runs=5, until=LATER),
        budget.Reserved(run="r2", micros=8, lease_until=LATER),
        budget.Exhausted(asked_micros=8, reason="2 are left"),
        budget.Committed(run="r2", micros=8, over_micros=1),
        budget.Reserved(run="r3", micros=1, lease_until=LATER),
        budget.Released(run="r3", reason="no answer"),
    )
)
HELD_AT = "int8range(valid_from_seq, valid_to_seq) @> $1::bigint"
numbers = count()


@st.composite
def interleaved(draw: st.DrawFn) -> list[Told]:
    """Stories that happen at the same time, each in its own order."""
    stories = [list(CYCLE), list(DISPUTED), list(RUNS), list(BUDGET)]
    told: list[Told] = []
    while left := [story for story in stories if story]:
        told.append(draw(st.sampled_from(left)).pop(0))
    return told


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as made:
        yield made


async def seen_at(views: Views, seq: int) -> dict[str, list[Any]]:
    """Every view as of a sequence."""
    told = {row.seq: row for name in ("imp-1", "imp-2") for row in await views.timeline(name, at_seq=seq)}
    return {
        "improvement_board": [*await views.improvements(at_seq=seq)],
        "timeline": [told[key] for key in sorted(told)],
        "task_board": [*await views.tasks(at_seq=seq)],
        "engine_usage": [*await views.runs(at_seq=seq)],
        "targets": [*await views.targets(at_seq=seq)],
        "deployments": [*await views.deployments(at_seq=seq)],
        "budgets": [*await views.budgets(at_seq=seq)],
        "access": [*await views.access(seq)],
        "outcomes": [*await views.outcomes(seq)],
    }


async def rebuilt(there: Replayed) -> dict[str, list[Any]]:
    return {view.name: [*await there.rows(view.table)] for view in VIEWS}


def as_then(view: View, rows: Sequence[Any]) -> list[Any]:
    """Rows by key, without the end that came later."""
    ranged = "valid_to_seq" in view.table.columns
    made = [replace(row, valid_to_seq=None) if ranged else row for row in rows]
    return sorted(made, key=lambda row: tuple(map(str, view.table.key_of(row))))


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=interleaved(), batch=st.integers(1, 20))
async def test_every_view_as_of_every_event_is_a_replay_up_to_it(
    story: list[Told], batch: int, pool: Pool
) -> None:
    store, schema = InMemoryEventStore(Clock()), f"aps_{next(numbers)}"
    head = await tell(store, story)
    await Projector(store, pool, schema=schema).catch_up(1)
    await Projector(store, pool, schema=schema, batch=batch, remembered=2).catch_up()
    views = Views(pool, schema)
    assert await views.poisoned() == ()
    for seq in range(head + 1):
        async with replayed(store, pool, VIEWS, seq) as there:
            then, now = await rebuilt(there), await seen_at(views, seq)
            for view in VIEWS:
                assert as_then(view, now[view.name]) == as_then(view, then[view.name]), (view.name, seq)
    assert await rebuild_and_compare(store, pool, schema=schema) == []


async def test_a_time_is_as_good_as_a_sequence(pool: Pool) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    (landed,) = (row for row in await views.timeline("imp-1") if row.fact == "change_deployed")
    before = await store.seq_at(landed.time - timedelta(milliseconds=1))
    (then,) = await views.improvements(at_seq=before)
    assert (then.status, then.valid_to_seq) == ("approved", landed.seq)


async def test_what_engines_cost_is_known_for_any_moment(pool: Pool) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    completed = next(row.seq for row in await views.timeline("imp-1") if row.fact == "completed")
    (before,) = await views.usage(By.ENGINE, "imp-1", completed - 1)
    (after,) = await views.usage(By.ENGINE, "imp-1", completed)
    assert (before.what, before.runs, before.answered, before.cost_micros) == ("deterministic", 1, 0, 0)
    assert (after.what, after.runs, after.answered, after.cost_micros) == ("deterministic", 1, 1, 7)
    assert await views.usage(By.ENGINE, "imp-1") == (after,)


async def test_what_engines_cost_is_summed_by_whatever_is_asked_for(pool: Pool) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await tell(store, [*CYCLE, *RUNS])
    await Projector(store, pool).catch_up()
    sums = {by: {row.what: row.runs for row in await views.usage(by)} for by in By}
    assert sums[By.RUN] == {"r1": 1, "r2": 1, "r3": 1}
    assert sums[By.IMPROVEMENT] == {"imp-1": 1, "imp-2": 2}
    assert sums[By.ROLE] == {"developer": 3}
    assert sums[By.DAY] == {"2026-03-01": 3}
    assert {row.reused for row in await views.usage(By.RUN)} == {0, 1}


@pytest.mark.parametrize("view", [view for view in VIEWS if "valid_to_seq" in view.table.columns])
async def test_the_past_is_found_by_an_index(view: View, pool: Pool) -> None:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    async with pool.acquire() as connection, connection.transaction():
        # on a table of a few rows a scan is the best plan: forbid it to see that an index can serve
        await connection.execute("set local enable_seqscan = off")
        question = f"select * from {{schema}}.{view.name} where {HELD_AT}"  # noqa: S608 -- our own names
        plan = await connection.fetch(f"explain {within('aps', question)}", 5)
    assert any(f"{view.name}_" in line[0] and "Index" in line[0] for line in plan)
