"""What a budget refuses waits, says for what, and is taken up again once the budget allows it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from events.budget import BUDGET, Exhausted, Opened
from events.fact import Stamp
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import Abandoned, Blocked, Unblocked
from events.lease import WorkClaimed
from events.target import TARGET
from schemas.engine import FailureKind
from schemas.improvement import Status
from schemas.obstacle import Obstacle
from schemas.risk import RiskClass
from services.architect.policy import whenever as architect
from services.asking.accounts import refuses
from services.asking.limits import Limit, Limits
from services.asking.waiting import free, halted
from services.asking.words import NotAnswered, OutOfBudget
from services.developer.policy import Implement
from services.developer.policy import whenever as developer
from services.devops.escalating import keep_looking
from services.engines.scripted import ScriptedEngine
from services.pm.policy import Specify
from services.pm.policy import whenever as pm
from services.runtime.ending import end
from services.runtime.log import Log
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits as Bounded
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from tests import projection_facts as f
from tests.asking_example import BECAUSE, PLENTY, Time, answering, ask, asker, book_at

ID, DAY = "imp-1", "day-2026-03-01"
ONE, MANY = Limit(1_000_000, 1), Limit(1_000_000, 100)
FREED = Unblocked(reason="there is room")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def book(time: Time) -> Log:
    book = await book_at(time)
    await book.record(IMPROVEMENT, ID, f.discovered(), cause=BECAUSE)
    return book


async def state(book: Log) -> Improvement:
    return await book.state(IMPROVEMENT, ID)


async def blocked(book: Log, limits: Limits) -> Blocked:
    """Ask twice where one call is allowed, and record what becomes of the work."""
    asking = asker(book, limits)
    await asking.ask(ask(ScriptedEngine(answering())))
    engine = ScriptedEngine(answering())
    with pytest.raises(OutOfBudget) as refused:
        await asking.ask(ask(engine, prompt="another"))
    assert engine.asked == []
    fact = halted("no engine planned it", refused.value, ID)
    assert isinstance(fact, Blocked)
    await book.record(IMPROVEMENT, ID, fact, cause=BECAUSE)
    return fact


async def test_what_a_budget_refuses_waits_where_it_stands_and_says_for_what(book: Log) -> None:
    fact = await blocked(book, Limits(improvement=MANY, day=ONE, engine=MANY))
    assert fact.reason == (
        f"no engine planned it: the budget {DAY} is exhausted: 1 runs are allowed: 1 are done, 0 under way"
    )
    assert fact.needs == (
        "the budget that begins at 2026-03-02 00:00 UTC, or a higher APS_BUDGET_DAY or APS_BUDGET_DAY_RUNS"
    )
    (wait,) = (await state(book)).waits
    assert (wait.obstacle, wait.blockers) == (Obstacle.BUDGET, (fact.needs,))
    assert (await state(book)).status is Status.INITIALIZED


@pytest.mark.parametrize(
    ("limits", "budget", "setting"),
    [
        (Limits(improvement=ONE, day=MANY, engine=MANY), f"improvement-{ID}", "APS_BUDGET_IMPROVEMENT"),
        (Limits(improvement=MANY, day=MANY, engine=ONE), "engine-scripted-2026-03", "APS_BUDGET_ENGINE"),
    ],
)
async def test_the_budget_and_what_raises_it_are_named(
    book: Log, limits: Limits, budget: str, setting: str
) -> None:
    fact = await blocked(book, limits)
    assert fact.budget == budget
    assert f"a higher {setting} or {setting}_RUNS" in fact.needs
    assert await free(book, limits, [ID], "devops-1") == ()
    assert await free(book, PLENTY, [ID], "devops-1") == (ID,)


async def test_it_waits_until_the_day_is_over(book: Log, time: Time) -> None:
    limits = Limits(improvement=MANY, day=ONE, engine=MANY)
    await blocked(book, limits)
    assert await free(book, limits, [ID], "devops-1") == ()
    assert (await state(book)).awaited_budget == DAY
    time.passes(timedelta(days=1).total_seconds())
    assert await free(book, limits, [ID], "devops-1") == (ID,)
    assert ((await state(book)).blocked, (await state(book)).waits) == (None, ())
    assert await free(book, limits, [ID], "devops-1") == ()
    assert (await asker(book, limits).ask(ask(ScriptedEngine(answering()), prompt="another"))).value


async def test_what_waits_for_a_person_is_not_freed(book: Log) -> None:
    waits = Blocked(reason="risk high", needs="a person")
    await book.record(IMPROVEMENT, ID, waits, cause=BECAUSE)
    assert await free(book, PLENTY, [ID], "devops-1") == ()
    assert (await state(book)).blocked == waits


async def test_work_that_somebody_else_did_waits_for_no_budget(book: Log) -> None:
    await blocked(book, Limits(improvement=MANY, day=ONE, engine=MANY))
    until = book.clock() + timedelta(hours=1)
    claim = WorkClaimed(agent="pm-1", work="requirements", lease_until=until)
    token = (await book.record(IMPROVEMENT, ID, claim, cause=BECAUSE)).version
    await book.record(IMPROVEMENT, ID, f.specified(token), cause=BECAUSE)
    assert (await state(book)).blocked is None


def test_a_call_that_cost_more_than_it_may_is_no_wait() -> None:
    costly = NotAnswered(FailureKind.BUDGET_EXHAUSTED, "going on costs more")
    fact = halted("no engine wrote it", costly, ID)
    assert isinstance(fact, Abandoned)
    assert fact.reason.endswith(f"Ask for less, then: aps improvements retry {ID}")


def test_a_budget_that_was_opened_higher_refuses_no_longer() -> None:
    low = Opened(limit_micros=10, limit_runs=1)
    said = BUDGET.initial
    for fact in (low, Exhausted(asked_micros=20, reason="too much")):
        said = BUDGET.evolve(said, fact, Stamp(1, f.START, "pm-1"))
    assert refuses(said, low, f.START)
    assert refuses(said, Opened(limit_micros=19, limit_runs=9), f.START)
    assert not refuses(said, Opened(limit_micros=20, limit_runs=9), f.START)
    assert not refuses(said, None, f.START)


def test_whoever_does_the_next_step_takes_it_up() -> None:
    waits = Blocked(reason="no engine wrote it", needs="more", budget=DAY)
    ready = Improvement(status=Status.ARCHITECTURE_COMPLETE)
    assert pm(ID, FREED) == Specify(ID)
    assert architect(ID, FREED, TARGET.initial) == (ID,)
    assert developer(ID, FREED, ready) == Implement(ID)
    assert developer(ID, f.designed(), replace(ready, blocked=waits)) is None


async def test_devops_lets_it_go_on_once_there_is_room(book: Log, time: Time, tmp_path: Path) -> None:
    await blocked(book, Limits(improvement=MANY, day=ONE, engine=MANY))
    bench = Workbench(
        book=book,
        actor="devops@one",
        lease_seconds=5,
        workspace=Workspace(tmp_path),
        sandbox=Unsandboxed(),
        limits=Bounded(wall_seconds=5),
        autonomy=RiskClass.LOW,
        settings=load({"APS_HOME": str(tmp_path), "APS_BUDGET_DAY_RUNS": "1"}),
    )
    looking = asyncio.create_task(keep_looking(bench, every=0.0))
    try:
        async with asyncio.timeout(30):
            time.passes(timedelta(days=1).total_seconds())
            async for event in book.store.live():
                if event.envelope.address.fact == Unblocked.name:
                    break
        assert (await state(book)).awaited_budget == ""
    finally:
        await end(looking)
