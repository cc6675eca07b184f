"""The projector on a real PostgreSQL: once and only once, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from events.envelope import Envelope
from events.memory import InMemoryEventStore
from events.store import Broken, Recorded
from projections.database import Checkpoint, OtherVersions, Overtaken
from projections.projector import LogBehindCheckpoint, Projector
from projections.queries import Views
from projections.rebuild import rebuild, rebuild_and_compare
from projections.views.catalogue import VIEWS
from projections.views.deployments import DeploymentState
from projections.views.engine_usage import By
from projections.views.task_board import TaskState
from schemas.improvement import Status
from tests import projection_facts as f
from tests.projection_facts import CYCLE, Clock, tell

if TYPE_CHECKING:
    from projections.connection import Pool

PATIENCE = 20.0


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=8) as made:
        yield made


@pytest.fixture
def store() -> InMemoryEventStore:
    return InMemoryEventStore(Clock())


@pytest.fixture
def views(pool: Pool) -> Views:
    return Views(pool)


class Altered(InMemoryEventStore):
    """A log whose stored events can be exchanged, as a bad disk or a bad hand would."""

    def __init__(self, events: Sequence[Recorded]) -> None:
        super().__init__(Clock())
        self._log = list(events)


async def everything(store: InMemoryEventStore) -> list[Recorded]:
    return [event async for event in store.read_all()]


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_views_show_a_whole_cycle(store: InMemoryEventStore, pool: Pool, views: Views) -> None:
    head = await tell(store, CYCLE)
    assert (await Projector(store, pool).catch_up()).seq == head
    (row,) = await views.improvements()
    assert (row.status, row.fixed, row.branch) == (Status.DEPLOYMENT_COMPLETE, 2, "aps/improved")
    (target,) = await views.targets()
    assert (target.findings_by_rule, target.paused) == ({"F401": 3, "UP031": 4}, False)
    (deployment,) = await views.deployments("toolz")
    assert (deployment.state, deployment.steps) == (DeploymentState.SUCCEEDED, ("apply",))
    (usage,) = await views.usage(By.IMPROVEMENT, "imp-1")
    assert (usage.runs, usage.duration_ms, usage.cost_micros) == (1, 120, 7)
    assert [run.id for run in await views.runs(outcome="completed")] == ["r1"]
    assert {task.work for task in await views.tasks(TaskState.FINISHED, aggregate="improvement")} == {
        "requirements",
        "design",
        "change",
    }
    assert (await views.timeline("imp-1"))[-1].fact == "change_deployed"


async def test_any_moment_of_the_past_can_be_asked_for(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    designed = next(row.seq for row in await views.timeline("imp-1") if row.fact == "architecture_designed")
    assert (await views.improvements(at_seq=designed))[0].status is Status.ARCHITECTURE_COMPLETE
    before = await views.improvement("imp-1", at_seq=designed - 1)
    assert before is not None
    assert before.status is Status.REQUIREMENTS_COMPLETE
    assert await views.improvement("imp-1", at_seq=1) is None
    assert await views.improvements(status=Status.ABANDONED) == ()
    assert (await views.targets(at_seq=2))[0].baseline_usable is None


async def test_a_projector_killed_after_any_event_applies_each_event_once(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    head = await tell(store, CYCLE)
    for seq in range(1, head + 1):
        # each is another process: nothing but the database is kept
        assert (await Projector(store, pool).catch_up(seq)).seq == seq
    assert [line.seq for line in await views.journal()] == list(range(1, head + 1))
    assert await rebuild_and_compare(store, pool) == []


async def test_a_projector_killed_inside_a_transaction_leaves_nothing_of_it(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up(3)
    async with pool.acquire() as blocking, blocking.transaction():
        # the table is locked: the projector hangs after the journal and the checkpoint were written
        await blocking.execute("lock table aps.improvement_board in access exclusive mode")
        task = asyncio.create_task(Projector(store, pool).follow())
        while not await blocking.fetchval("select count(*) from pg_locks where not granted"):
            pass
        await stopped(task)
    assert (await views.checkpoint()).seq == 3
    assert len(await views.journal()) == 3
    await Projector(store, pool).catch_up()
    assert await rebuild_and_compare(store, pool) == []


async def test_a_small_memory_gives_the_same_rows(store: InMemoryEventStore, pool: Pool) -> None:
    for number in range(10):
        await tell(store, [("improvement", f"imp-{number}", f.discovered(rank=number))])
    for number in range(10):
        await tell(store, [("improvement", f"imp-{number}", f.claimed())])
    await Projector(store, pool, batch=3, remembered=2).catch_up()
    assert await rebuild_and_compare(store, pool) == []


async def test_a_new_event_is_seen_at_once(store: InMemoryEventStore, pool: Pool, views: Views) -> None:
    task = asyncio.create_task(Projector(store, pool).follow())
    try:
        await views.wait_until(await tell(store, CYCLE), PATIENCE)
        waiting = asyncio.create_task(views.wait_until(await store.head() + 1, PATIENCE))
        await tell(store, [("target", "toolz", f.scan_requested("s2"))])
        assert (await waiting).seq == len(CYCLE) + 1
        assert (await views.targets())[0].scan == "s2"
    finally:
        await stopped(task)


async def test_waiting_for_what_does_not_come_ends(pool: Pool, views: Views) -> None:
    assert await views.checkpoint() == Checkpoint()
    with pytest.raises(TimeoutError):
        await views.wait_until(1, 0.05)


async def test_of_two_projectors_one_leads_and_the_other_takes_over(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    tasks = [asyncio.create_task(Projector(store, pool, batch=2).follow()) for _ in range(2)]
    try:
        await views.wait_until(await tell(store, CYCLE), PATIENCE)
        for task in tasks:
            # whichever led, the one left goes on; the last round shows the second did
            await tell(store, [("improvement", f"imp-{task.get_name()}", f.discovered())])
            await views.wait_until(await store.head(), PATIENCE)
            if task is tasks[0]:
                await stopped(task)
        assert [line.seq for line in await views.journal()] == list(range(1, await store.head() + 1))
    finally:
        for task in tasks:
            await stopped(task)
    assert await rebuild_and_compare(store, pool) == []


async def test_two_that_apply_at_the_same_time_apply_once(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    head = await tell(store, CYCLE)
    done = await asyncio.gather(
        *(Projector(store, pool, batch=1).catch_up() for _ in range(3)), return_exceptions=True
    )
    assert any(isinstance(one, Checkpoint) for one in done)
    assert all(isinstance(one, Checkpoint | Overtaken) for one in done)
    await Projector(store, pool).catch_up()
    assert [line.seq for line in await views.journal()] == list(range(1, head + 1))
    assert await rebuild_and_compare(store, pool) == []


async def test_a_poisoned_event_blocks_its_aggregate_and_nothing_else(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    await tell(store, [("improvement", "imp-1", f.discovered()), ("improvement", "imp-1", f.claimed())])
    await tell(
        store, [("improvement", "imp-2", f.discovered(rank=2)), ("improvement", "imp-1", f.specified())]
    )
    log = Altered(retold(await everything(store), 2, type="aps.improvement.reinvented.v1"))
    await Projector(log, pool, batch=1, remembered=1).catch_up()
    (poisoned,) = await views.poisoned()
    assert (poisoned.seq, poisoned.id) == (2, "imp-1")
    assert [row.version for row in await views.improvements()] == [1, 1]
    assert len(await views.journal()) == 4
    assert await rebuild_and_compare(log, pool) == []


async def test_an_event_postgresql_cannot_take_is_found_among_many(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    await tell(store, [("improvement", f"imp-{n}", f.discovered(rank=n)) for n in range(5)])
    await tell(store, [("improvement", "imp-big", f.discovered(rank=2**63))])
    await tell(store, [("improvement", "imp-nul", f.discovered(title="a\0b"))])
    await Projector(store, pool).catch_up()
    assert [poisoned.id for poisoned in await views.poisoned()] == ["imp-big"]
    assert len(await views.improvements()) == 6
    nul = await views.improvement("imp-nul")
    assert nul is not None
    assert nul.title == "a\ufffdb"
    assert await rebuild_and_compare(store, pool) == []


async def test_a_log_behind_the_checkpoint_stops_the_projector(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    for kept, told in ((-3, "3 events are gone from the log"), (-1, "1 event is gone from the log")):
        shorter = Altered((await everything(store))[:kept])
        with pytest.raises(LogBehindCheckpoint, match=told):
            await asyncio.wait_for(Projector(shorter, pool).follow(), PATIENCE)
        with pytest.raises(LogBehindCheckpoint):
            await asyncio.wait_for(rebuild(shorter, pool), PATIENCE)


async def test_another_log_stops_the_projector(store: InMemoryEventStore, pool: Pool, views: Views) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    another = InMemoryEventStore(Clock())
    await tell(another, CYCLE, number=2)
    with pytest.raises(Broken, match="this is another log"):
        await Projector(another, pool).catch_up()
    with pytest.raises(Broken, match="they are kept as they are"):
        await rebuild(another, pool)
    assert (await views.checkpoint()).seq == len(CYCLE)


async def test_a_missing_sequence_stops_the_projector(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    events = await everything(store)
    with pytest.raises(Broken, match="event 5 is missing"):
        await Projector(Altered([*events[:4], *events[5:]]), pool).catch_up()


async def test_an_event_that_does_not_link_halts_after_all_before_it_with_the_command_to_go_on(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up(3)
    events = await everything(store)
    wrong = events[8].envelope
    events[8] = Recorded(9, replace(wrong, sequence=wrong.sequence + 7).sealed())
    lost = len(CYCLE) - 8
    with pytest.raises(Broken, match=f"does not link.*aps restore --journal --anew --lose {lost} "):
        await Projector(Altered(events), pool).catch_up()
    assert (await views.checkpoint()).seq == 8


@pytest.mark.parametrize(
    ("table", "change", "expected"),
    [
        ("improvement_board", "set status = 'declined' where valid_to_seq is null", "status"),
        (
            "task_board",
            "set agent = 'somebody' where token = 2 and aggregate = 'improvement' and ended_by > ''",
            "agent",
        ),
        ("journal", "set envelope = '{}' where seq = 4", "envelope"),
        ("checkpoint", "set chain = 'x'", "chain"),
    ],
)
async def test_a_row_altered_by_hand_is_named(
    store: InMemoryEventStore, pool: Pool, table: str, change: str, expected: str
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    await pool.execute(f"update aps.{table} {change}")
    (found,) = await rebuild_and_compare(store, pool)
    assert (found.view, found.column) == (table, expected)


async def test_a_row_added_or_removed_by_hand_is_named(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    await pool.execute("delete from aps.timeline where seq = 9")
    await pool.execute("insert into aps.poisoned values (3, 'target', 'toolz', 'made up')")
    assert [str(found) for found in await rebuild_and_compare(store, pool)] == [
        "poisoned 3 row: live there, rebuilt none",
        "timeline 9 row: live none, rebuilt there",
    ]
    assert await scratch_schemas(pool) == []


async def test_rebuilt_views_take_the_place_of_the_live_ones_while_a_projector_runs(
    store: InMemoryEventStore, pool: Pool, views: Views
) -> None:
    task = asyncio.create_task(Projector(store, pool).follow())
    try:
        await views.wait_until(await tell(store, CYCLE), PATIENCE)
        await pool.execute("update aps.improvement_board set title = 'altered'")
        await rebuild(store, pool)
        assert (await views.improvements())[0].title == "Remove unused imports"
        await tell(store, [("target", "toolz", f.scan_requested("s2"))])
        await views.wait_until(await store.head(), PATIENCE)
        assert (await views.targets())[0].scan == "s2"
    finally:
        await stopped(task)
    assert await rebuild_and_compare(store, pool) == []


async def test_views_of_another_version_are_not_written_to(store: InMemoryEventStore, pool: Pool) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up(5)
    newer = (replace(VIEWS[0], version=VIEWS[0].version + 1), *VIEWS[1:])
    with pytest.raises(OtherVersions) as older:
        await Projector(store, pool, newer).catch_up()
    assert not older.value.newer
    await rebuild(store, pool, newer)
    with pytest.raises(OtherVersions) as found:
        await Projector(store, pool).catch_up()
    assert found.value.newer


async def scratch_schemas(pool: Pool) -> list[str]:
    found = await pool.fetch("select nspname from pg_namespace where nspname like 'aps_check%'")
    return [schema["nspname"] for schema in found]


def retold(events: Sequence[Recorded], seq: int, **fields: Any) -> list[Recorded]:
    """The same log with one event's fields changed before it was sealed, and all later ones linked to it."""
    made: list[Recorded] = []
    last: dict[str, Envelope] = {}
    for event in events:
        before = last.get(event.envelope.subject)
        changed: dict[str, Any] = fields if event.seq == seq else {}
        prevhash = before.hash if before else event.envelope.prevhash
        envelope = replace(event.envelope, prevhash=prevhash, **changed).sealed()
        last[envelope.subject] = envelope
        made.append(Recorded(event.seq, envelope))
    return made
