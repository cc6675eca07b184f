"""Who died in a call is not waited for: its run ends, its place and what it reserved are free again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from events.budget import BUDGET
from events.engine import ENGINE
from events.run import RUN, Cancelled, Failed
from schemas.engine import FailureKind
from services.asking.burying import bury, keep_burying
from services.asking.calling import Watch
from services.asking.limits import Limit
from services.asking.retrying import Patience
from services.asking.words import NotAnswered
from services.engines.port import Task
from services.engines.scripted import Answering, Hanging, ScriptedEngine
from services.runtime.log import Log
from tests.asking_example import AT_ONCE, BECAUSE, PLENTY, Time, answering, ask, asker, book_at, told

LONGEST = 5 + 1 + 60  # the call's bounds, its ending, the margin
DEAF = replace(AT_ONCE, watch=Watch(look=600.0, overtime=0.0, ending=1.0))
IMPROVEMENT, MARCH = "improvement-imp-1", "engine-scripted-2026-03"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def book(time: Time) -> Log:
    return await book_at(time)


@asynccontextmanager
async def dying(book: Log) -> AsyncIterator[str]:
    """A call whose process is never heard of again, by its run."""
    call = asyncio.create_task(asker(book, manner=DEAF).ask(ask(ScriptedEngine(Hanging()))))
    async for event in book.store.live():
        if event.envelope.address.fact == "started":
            break
    (run,) = (await book.state(ENGINE, "scripted")).calls
    yield run
    call.cancel()
    with pytest.raises((asyncio.CancelledError, NotAnswered)):
        await call


async def test_a_call_whose_holder_died_ends_when_its_lease_has_run_out(book: Log, time: Time) -> None:
    async with dying(book) as run:
        time.passes(LONGEST - 1)
        assert await bury(book, "scripted", "pm-1") == ()
        time.passes(1)
        assert await bury(book, "scripted", "pm-1") == (run,)
        ended = (await book.state(RUN, run)).ended
        assert isinstance(ended, Failed)
        assert (ended.kind, ended.reason) == (FailureKind.KILLED, "its holder was not heard of again")
        assert (await book.state(ENGINE, "scripted")).calls == {}
        budgets = await book.states(BUDGET, await told(book, "budget"))
        assert all(not one.reserved and one.left_runs == 100 for one in budgets.values())
        assert await bury(book, "scripted", "pm-1") == ()


async def test_what_a_budget_of_yesterday_holds_is_given_back_too(book: Log, time: Time) -> None:
    async with dying(book):
        time.passes(24 * 3600)
        await asker(book).ask(ask(ScriptedEngine(answering()), improvement="imp-2"))
        for id in ("day-2026-03-01", IMPROVEMENT, MARCH):
            assert (await book.state(BUDGET, id)).reserved == {}, id


async def test_a_run_that_a_person_cancelled_stays_cancelled(book: Log, time: Time) -> None:
    store, cancelled = book.store, Cancelled(reason="it hangs")
    async with dying(book) as run:
        other = Log(store, book.artefacts, time)
        await other.record(RUN, run, cancelled, cause=BECAUSE)
        time.passes(LONGEST)
        await bury(other, "scripted", "pm-1")
        assert (await other.state(RUN, run)).ended == cancelled
        assert (await other.state(ENGINE, "scripted")).calls == {}


async def test_a_dead_call_takes_no_place_from_the_living(book: Log, time: Time) -> None:
    manner = replace(AT_ONCE, parallel=1)
    async with dying(book) as run:
        time.passes(LONGEST)
        asked = await asker(book, manner=manner).ask(ask(ScriptedEngine(answering()), prompt="another"))
        assert isinstance((await book.state(RUN, run)).ended, Failed)
        assert asked.run != run


async def test_the_dead_are_found_though_nobody_asks_their_engine_again(book: Log, time: Time) -> None:
    async with dying(book) as run:
        looking = asyncio.create_task(keep_burying(book, ("other", "scripted"), "pm-1", every=0.0))
        time.passes(LONGEST)
        async with asyncio.timeout(10):
            async for event in book.store.live():
                if event.envelope.address.id == run and event.envelope.address.fact == "failed":
                    break
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking


async def test_who_comes_back_after_its_burial_pays_what_it_spent(book: Log, time: Time) -> None:
    limits = replace(PLENTY, improvement=Limit(1_000_000, 9))

    async def late(_: Task[Any]) -> Answering:
        time.passes(LONGEST)
        await bury(book, "scripted", "pm-1")
        return answering()

    with pytest.raises(NotAnswered, match="not heard of again") as lost:
        await asker(book, limits, replace(AT_ONCE, patience=Patience(attempts=1))).ask(
            ask(ScriptedEngine(late))
        )
    assert lost.value.kind is FailureKind.KILLED
    state = await book.state(BUDGET, IMPROVEMENT)
    assert (state.over_micros, state.runs) == (1_000, 1)
