"""The outcome measures, summed by the database: of a time, of a target, as of any event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from events import improvement_facts, run
from events.memory import InMemoryEventStore
from projections.projector import Projector
from projections.queries import Views
from projections.views.outcomes import OutcomesBy, OutcomeSums
from schemas.engine import Billing
from tests import projection_facts as f
from tests.projection_facts import CYCLE, START, Clock, Told, tell

if TYPE_CHECKING:
    from projections.connection import Pool

i = improvement_facts
LATER = START + timedelta(days=1)
ROLLED_BACK = i.ChangeRolledBack(deployment="dep-2", commit="1" * 40, tree="2" * 40, method="revert")
ENDED: tuple[Told, ...] = (
    ("improvement", "imp-1", i.RollbackRequested(reason="slower")),
    ("improvement", "imp-2", f.discovered(2, target="other")),
    ("improvement", "imp-2", i.Abandoned(reason="not wanted")),
    ("improvement", "imp-1", ROLLED_BACK),
)
NOTHING = OutcomeSums("", *(0,) * 11, None, None, None, None, 0, 0)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as made:
        yield made


async def views_of(story: tuple[Told, ...], pool: Pool) -> Views:
    store = InMemoryEventStore(Clock())
    await tell(store, story)
    await Projector(store, pool).catch_up()
    return Views(pool)


async def whole(views: Views, at_seq: int | None = None, target: str | None = None) -> OutcomeSums:
    (found,) = await views.outcome_sums(OutcomesBy.ALL, START, LATER, at_seq, target)
    return found


async def test_what_came_of_the_work_is_counted_and_measured(pool: Pool) -> None:
    found = await whole(await views_of((*CYCLE, *ENDED), pool))
    assert (found.discovered, found.landed, found.abandoned, found.rolled_back) == (2, 1, 1, 1)
    assert (found.suite_runs, found.suite_ms, found.calls) == (3, 1800, 1)
    assert found.lead_ms_p50 == found.lead_ms_p90 == 19_000
    assert found.restore_ms_p50 == 3000


async def test_the_measures_are_known_as_of_any_event(pool: Pool) -> None:
    views = await views_of((*CYCLE, *ENDED), pool)
    then = await whole(views, len(CYCLE))
    assert (then.discovered, then.landed, then.rolled_back, then.restore_ms_p50) == (1, 1, 0, None)
    assert (await whole(views, len(CYCLE) - 1)).landed == 0


async def test_each_target_has_its_own(pool: Pool) -> None:
    views = await views_of((*CYCLE, *ENDED), pool)
    by_target = {
        one.what: (one.discovered, one.landed)
        for one in await views.outcome_sums(OutcomesBy.TARGET, START, LATER)
    }
    assert by_target == {"toolz": (1, 1), "other": (1, 0)}
    assert (await whole(views, target="other")).landed == 0


async def test_parts_of_time_hold_what_happened_in_them(pool: Pool) -> None:
    views = await views_of((*CYCLE, *ENDED), pool)
    wide = timedelta(seconds=10)
    parts = await views.outcome_sums(OutcomesBy.TIME, START, LATER, width=wide)
    assert [(one.what, one.discovered, one.landed, one.rolled_back) for one in parts] == [
        ("2026-03-01T12:00:00Z", 1, 0, 0),
        ("2026-03-01T12:00:10Z", 0, 0, 0),
        ("2026-03-01T12:00:20Z", 1, 1, 0),
        ("2026-03-01T12:00:30Z", 0, 0, 1),
    ]
    before = await views.outcome_sums(OutcomesBy.TIME, START, START + wide, width=wide)
    assert [one.what for one in before] == ["2026-03-01T12:00:00Z"]


@pytest.mark.parametrize("story", [(), CYCLE, (*CYCLE, *ENDED)])
async def test_a_time_and_its_parts_read_at_once_are_as_each_read_alone(
    pool: Pool, story: tuple[Told, ...]
) -> None:
    views = await views_of(story, pool)
    wide = timedelta(seconds=10)
    for end, seq, target in ((LATER, None, None), (START + wide, 3, None), (LATER, None, "toolz")):
        both = await views.outcome_parts(START, end, seq, target, wide)
        assert both[1] == await views.outcome_sums(OutcomesBy.TIME, START, end, seq, target, wide)
        alone = await views.outcome_sums(OutcomesBy.ALL, START, end, seq, target)
        assert both[0] == (alone[0] if alone else NOTHING)


async def test_only_what_has_a_price_was_paid_for(pool: Pool) -> None:
    free = f.run_completed().model_copy(update={"billing": Billing.SUBSCRIPTION, "cost_micros": 99})
    paid = f.run_completed().model_copy(update={"billing": Billing.PRICE, "cost_micros": 7})
    calls: tuple[Told, ...] = tuple(
        ("run", name, fact)
        for name, ended in (("r2", free), ("r3", paid))
        for fact in (f.run_requested(), run.Started(), ended)
    )
    found = await whole(await views_of((*CYCLE[:15], *calls), pool))
    paid_before = f.run_completed().cost_micros if f.run_completed().billing is Billing.PRICE else 0
    assert (found.calls, found.priced_micros) == (3, 7 + paid_before)


async def test_what_is_taken_back_again_is_measured_from_its_own_failure(pool: Pool) -> None:
    landed = (f.specified(), f.designed(), f.implemented(), f.validated())
    approved = i.ChangeApproved(commit="f" * 40, reason="low risk")
    breach = i.RollbackRequested(reason="slower")
    again = (breach, ROLLED_BACK, i.Retried(reason="mended"), *landed, approved, f.deployed(), breach)
    story: list[Told] = [("improvement", "imp-1", fact) for fact in (*again, ROLLED_BACK)]
    found = await whole(await views_of((*CYCLE, *story), pool))
    assert (found.landed, found.rolled_back) == (2, 2)
    assert found.restore_ms_p50 == found.restore_ms_p90 == 1000


async def test_without_views_there_are_no_measures(pool: Pool) -> None:
    assert await Views(pool).outcome_sums(OutcomesBy.ALL, START, LATER) == ()
    assert await Views(pool).outcome_parts(START, LATER) == (None, ())
