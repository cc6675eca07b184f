"""When an engine is left alone, asked again, and who goes first: decided without any engine or log."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from events.engine import ENGINE, Ailing, CallBegun, Engine, EngineFact
from events.fact import Stamp
from schemas.engine import FailureKind
from services.asking.breaker import Fuse, leaving
from services.asking.door import Door
from services.asking.limits import Limit, Limits, budgets
from services.asking.retrying import Patience, wait_before_next
from services.engines.port import Failed
from tests.projection_facts import START

FUSE = Fuse(failures=3, seconds=30)
LATER = START + timedelta(seconds=30)
AILS = FailureKind.SERVER_ERROR


def after(state: Engine, *failures: FailureKind | None, now: datetime = START) -> Engine:
    """The engine after calls that ended so, one after the other."""
    for failure in failures:
        state = ended(begun(state), failure, now)
    return state


def begun(state: Engine, run: str = "run", now: datetime = LATER) -> Engine:
    return state_after(state, CallBegun(run=run, places=9, lease_until=now + timedelta(seconds=60)), now)


def ended(state: Engine, failure: FailureKind | None, now: datetime = START, run: str = "run") -> Engine:
    for fact in leaving(state, run, failure, FUSE, now):
        ENGINE.decide(state, fact, now)
        state = state_after(state, fact, now)
    return state


def state_after(state: Engine, fact: EngineFact, now: datetime) -> Engine:
    return ENGINE.evolve(state, fact, Stamp(1, now, "pm-1"))


def admits(state: Engine, now: datetime) -> bool:
    try:
        ENGINE.decide(state, CallBegun(run="next", places=9, lease_until=now + timedelta(seconds=9)), now)
    except Ailing:
        return False
    return True


def test_a_circuit_opens_after_failures_in_a_row() -> None:
    assert admits(after(Engine(), AILS, AILS), START)
    assert not admits(after(Engine(), AILS, AILS, AILS), START)
    assert admits(after(Engine(), AILS, AILS, None, AILS, AILS), START)


def test_what_is_the_tasks_own_fault_opens_nothing() -> None:
    assert admits(after(Engine(), *[FailureKind.REFUSED] * 9), START)
    assert admits(after(Engine(), AILS, AILS, FailureKind.REFUSED, AILS), START)


def test_what_was_stopped_tells_nothing() -> None:
    assert not admits(after(Engine(), AILS, FailureKind.CANCELLED, AILS, FailureKind.KILLED, AILS), START)


def test_an_open_circuit_lets_one_call_through_after_a_while() -> None:
    opened = after(Engine(), AILS, AILS, AILS)
    assert not admits(opened, LATER - timedelta(seconds=1))
    assert admits(opened, LATER)
    assert not admits(begun(opened), LATER)


def test_that_call_closes_it_or_begins_the_wait_anew() -> None:
    trying = begun(after(Engine(), AILS, AILS, AILS))
    assert ended(trying, None, LATER) == Engine()
    again = ended(trying, AILS, LATER)
    assert not admits(again, LATER + timedelta(seconds=29))
    assert admits(again, LATER + timedelta(seconds=30))


def test_a_call_that_was_stopped_leaves_the_question_open() -> None:
    trying = begun(after(Engine(), AILS, AILS, AILS))
    assert admits(ended(trying, FailureKind.CANCELLED, LATER), LATER)


def test_a_call_that_somebody_else_ended_leaves_nothing_to_record() -> None:
    assert leaving(Engine(), "run", AILS, FUSE, START) == ()


PATIENCE = Patience(attempts=3, first=2.0, longest=10.0)


@pytest.mark.parametrize(
    ("kind", "retry_after", "attempt", "least", "most"),
    [
        (FailureKind.OVERLOADED, None, 1, 1.0, 2.0),
        (FailureKind.OVERLOADED, None, 2, 2.0, 4.0),
        (FailureKind.RATE_LIMITED, 7.0, 1, 7.0, 9.0),
        (FailureKind.RATE_LIMITED, -1.0, 1, 0.0, 2.0),
    ],
)
def test_the_wait_grows_and_heeds_what_the_engine_said(
    kind: FailureKind, retry_after: float | None, attempt: int, least: float, most: float
) -> None:
    failed = Failed(kind, "it failed", retry_after=retry_after)
    waits = [wait_before_next(PATIENCE, failed, attempt, chance) for chance in (0.0, 1.0)]
    assert waits == [least, most]


def test_no_wait_is_longer_than_the_longest() -> None:
    long = Patience(attempts=99, first=2.0, longest=10.0)
    assert wait_before_next(long, Failed(FailureKind.OVERLOADED, ""), 50, 1.0) == 10.0


@pytest.mark.parametrize(
    ("kind", "retry_after", "attempt"),
    [
        (FailureKind.UNAUTHORIZED, None, 1),
        (FailureKind.OVERLOADED, None, 3),
        (FailureKind.RATE_LIMITED, 3600.0, 1),
    ],
)
def test_an_engine_is_not_asked_again_in_vain(
    kind: FailureKind, retry_after: float | None, attempt: int
) -> None:
    assert wait_before_next(PATIENCE, Failed(kind, "", retry_after=retry_after), attempt, 0.0) is None


async def test_the_most_important_goes_first_and_equals_in_their_order() -> None:
    door, order = Door(), list[str]()

    async def one(name: str, priority: int) -> None:
        async with door.passed(priority):
            order.append(name)

    async with door.passed():
        waiting = [asyncio.create_task(one(*each)) for each in (("a", 0), ("b", 5), ("c", 0), ("d", 5))]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["b", "d", "a", "c"]


async def test_a_turn_given_to_one_who_is_just_stopped_goes_to_the_next() -> None:
    door, reached = Door(), asyncio.Event()

    async def one(then: asyncio.Event) -> None:
        async with door.passed():
            then.set()

    async with door.passed():
        stopped = asyncio.create_task(one(asyncio.Event()))
        next_one = asyncio.create_task(one(reached))
        await asyncio.sleep(0)
    stopped.cancel()  # its turn was given to it, and it has not run since
    await asyncio.wait_for(reached.wait(), 5)
    await next_one
    async with asyncio.timeout(5), door.passed():
        pass


LIMITS = Limits(Limit(1, 2), Limit(3, 4), Limit(5, 6))


def test_a_call_is_taken_from_the_budgets_of_its_improvement_its_day_and_its_engine() -> None:
    opened = budgets(LIMITS, "imp-1", "Claude Code", datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert {id: (one.limit_micros, one.limit_runs, one.until) for id, one in opened.items()} == {
        "improvement-imp-1": (1, 2, None),
        "day-2026-12-31": (3, 4, new_year),
        "engine-claude-code-2026-12": (5, 6, new_year),
    }


@pytest.mark.parametrize("improvement", ["i" * 80, "with a blank"])
def test_every_improvement_has_a_budget_of_its_own(improvement: str) -> None:
    ids = [id for name in (improvement, improvement + "x") for id in budgets(LIMITS, name, "e", START)]
    assert len({id for id in ids if id.startswith("improvement-")}) == 2
    assert all(len(id) <= 80 for id in ids)
