"""Whoever asks gets an answer, or is told why not; the log holds every call and what it cost."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from events.budget import BUDGET, Exhausted
from events.run import RUN, Completed, Failed, Requested, Reused
from schemas.engine import Billing, FailureKind, Spent
from schemas.run_progress import RunProgress
from services.asking.limits import Limit, Limits
from services.asking.words import Choice, NotAnswered
from services.engines.port import Progress, Task
from services.engines.scripted import Answering, ScriptedEngine
from services.runtime.log import Log
from tests.asking_example import (
    AT_ONCE,
    COST,
    PLENTY,
    PRICE,
    Plan,
    Time,
    answering,
    ask,
    asker,
    book_at,
    failing,
    names,
    told,
)

DAY = "day-2026-03-01"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def book(time: Time) -> Log:
    return await book_at(time)


async def kept(book: Log, ref: Any) -> Any:
    assert ref is not None
    return orjson.loads(await book.fetch(ref))


async def test_an_answer_comes_with_its_run_and_what_it_cost(book: Log) -> None:
    asked = await asker(book).ask(ask(ScriptedEngine(answering("do it")), prompt_version="v1"))
    assert (asked.value, asked.engine, asked.model, asked.spent) == (
        Plan(text="do it"),
        "scripted",
        "m-1",
        COST,
    )
    (facts,) = (await told(book, "run")).values()
    requested, _, completed = facts
    assert names(facts) == ["requested", "started", "completed"]
    assert isinstance(requested, Requested)
    assert isinstance(completed, Completed)
    assert (requested.role, requested.improvement, requested.prompt_version) == ("architect", "imp-1", "v1")
    assert (completed.cost_micros, completed.tokens_in, completed.billing) == (PRICE, 90, Billing.PRICE)
    assert await kept(book, requested.prompt) == {"system": "be brief", "prompt": "plan it"}
    assert await kept(book, completed.answer) == {"text": "do it"}
    for ref in (requested.prompt, completed.answer, completed.transcript):
        assert ref is not None
        assert ref.sealed_for == "improvement/imp-1"


async def test_what_belongs_to_no_improvement_is_sealed_for_its_run(book: Log) -> None:
    asked = await asker(book).ask(ask(ScriptedEngine(answering()), improvement=""))
    requested = (await book.state(RUN, asked.run)).requested
    assert requested is not None
    assert requested.prompt is not None
    assert requested.prompt.sealed_for == f"run/{asked.run}"
    assert set(await told(book, "budget")) == {DAY, "engine-scripted-2026-03"}


async def test_every_budget_is_reserved_before_and_settled_after(book: Log) -> None:
    await asker(book).ask(ask(ScriptedEngine(answering(spent=COST.model_copy(update={"cost_micros": 400})))))
    budgets = await told(book, "budget")
    assert set(budgets) == {DAY, "engine-scripted-2026-03", "improvement-imp-1"}
    for id, facts in budgets.items():
        assert names(facts) == ["opened", "reserved", "committed"]
        state = await book.state(BUDGET, id)
        assert (state.committed_micros, state.reserved_micros, state.runs) == (400, 0, 1)


async def test_the_reservation_and_the_run_are_one_append(book: Log) -> None:
    engine = ScriptedEngine(answering())
    await asker(book).ask(ask(engine))
    order = [event.envelope.address.fact async for event in book.store.read_all()]
    assert order[:9] == ["opened", "reserved"] * 3 + ["call_begun", "requested", "started"]
    assert set(order[9:]) == {"committed", "call_ended", "completed"}


@pytest.mark.parametrize("billing", [Billing.SUBSCRIPTION, Billing.FREE])
async def test_what_has_no_price_takes_no_money_and_counts_as_a_call(book: Log, billing: Billing) -> None:
    spent = COST.model_copy(update={"billing": billing})
    limits = Limits(*(Limit(0, 5),) * 3)
    await asker(book, limits).ask(ask(Choice(ScriptedEngine(answering(spent=spent)), priced=False)))
    state = await book.state(BUDGET, DAY)
    assert (state.committed_micros, state.over_micros, state.runs) == (0, 0, 1)


async def test_what_was_spent_beyond_the_bounds_is_told(book: Log) -> None:
    spent = COST.model_copy(update={"cost_micros": PRICE + 7})
    await asker(book).ask(ask(ScriptedEngine(answering(spent=spent))))
    state = await book.state(BUDGET, DAY)
    assert (state.committed_micros, state.over_micros) == (PRICE, 7)


async def test_without_budget_nobody_is_called_and_a_person_sees_why(book: Log) -> None:
    limits = replace(PLENTY, day=Limit(PRICE - 1, 9))
    engine = ScriptedEngine(answering(), answering())
    asking = asker(book, limits)
    for _ in range(2):
        with pytest.raises(NotAnswered, match=f"the budget {DAY} is exhausted: .* are asked for") as refusal:
            await asking.ask(ask(engine))
        assert refusal.value.kind is FailureKind.BUDGET_EXHAUSTED
    assert engine.asked == []
    assert await told(book, "run") == {}
    budgets = await told(book, "budget")
    assert {id: names(facts) for id, facts in budgets.items()} == {DAY: ["opened", "exhausted"]}
    assert isinstance(budgets[DAY][-1], Exhausted)


async def test_an_exhausted_budget_goes_on_when_a_person_raises_it(book: Log) -> None:
    with pytest.raises(NotAnswered):
        await asker(book, replace(PLENTY, day=Limit(0, 0))).ask(ask(ScriptedEngine(answering())))
    await asker(book).ask(ask(ScriptedEngine(answering())))
    assert (await book.state(BUDGET, DAY)).exhausted is None


async def test_no_second_engine_is_asked_where_the_budget_is_spent(book: Log) -> None:
    second = ScriptedEngine(answering(), name="second")
    limits = replace(PLENTY, improvement=Limit(0, 9))
    with pytest.raises(NotAnswered):
        await asker(book, limits).ask(ask(ScriptedEngine(answering()), second))
    assert second.asked == []


async def test_what_failed_for_nothing_gives_its_budget_back(book: Log) -> None:
    with pytest.raises(NotAnswered, match="no such key") as failure:
        await asker(book).ask(ask(ScriptedEngine(failing(FailureKind.UNAUTHORIZED, "no such key"))))
    assert failure.value.kind is FailureKind.UNAUTHORIZED
    (run,) = failure.value.runs
    ended = (await book.state(RUN, run)).ended
    assert isinstance(ended, Failed)
    assert (ended.kind, ended.reason) == (FailureKind.UNAUTHORIZED, "no such key")
    state = await book.state(BUDGET, DAY)
    assert (state.left_micros, state.left_runs) == (1_000_000, 100)


async def test_what_failed_at_a_price_is_paid(book: Log) -> None:
    failure = failing(FailureKind.TURNS_EXHAUSTED, spent=COST)
    with pytest.raises(NotAnswered):
        await asker(book).ask(ask(ScriptedEngine(failure)))
    assert (await book.state(BUDGET, DAY)).committed_micros == PRICE


async def test_the_same_question_is_answered_once(book: Log) -> None:
    engine = ScriptedEngine(answering("the plan"))
    first = await asker(book).ask(ask(engine))
    again = await asker(book).ask(ask(engine))
    assert len(engine.asked) == 1
    assert (again.value, again.reused_from, again.spent) == (Plan(text="the plan"), first.run, Spent())
    assert (await book.state(RUN, again.run)).ended == Reused(run=first.run)
    assert (await book.state(BUDGET, DAY)).runs == 1


@pytest.mark.parametrize(
    "other",
    [{"prompt": "plan less"}, {"prompt_version": "v2"}, {"inputs": "tree"}, {"reuse": False}],
)
async def test_another_question_is_asked_anew(book: Log, other: dict[str, Any]) -> None:
    engine = ScriptedEngine(answering(), answering())
    await asker(book).ask(ask(engine))
    assert (await asker(book).ask(ask(engine, **other))).reused_from == ""
    assert len(engine.asked) == 2


async def test_another_model_is_asked_anew(book: Log) -> None:
    engine = ScriptedEngine(answering(), answering())
    await asker(book).ask(ask(Choice(engine, "small")))
    await asker(book).ask(ask(Choice(engine, "large")))
    assert [task.model for task in engine.asked] == ["small", "large"]


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ({"may_write": True, "inputs": "tree"}, 2),
        ({"may_write": True, "inputs": "tree", "whole": True}, 1),
        ({"inputs": ""}, 2),
        ({"inputs": "tree"}, 1),
    ],
)
async def test_what_depends_on_a_work_tree_is_taken_again_only_where_it_is_the_same(
    book: Log, tmp_path: Path, fields: dict[str, Any], times: int
) -> None:
    engine = ScriptedEngine(answering(), answering())
    for _ in range(2):
        await asker(book).ask(ask(engine, worktree=tmp_path, **fields))
    assert len(engine.asked) == times


async def test_a_failure_is_no_answer_to_take_again(book: Log) -> None:
    engine = ScriptedEngine(failing(FailureKind.REFUSED), answering())
    with pytest.raises(NotAnswered):
        await asker(book).ask(ask(engine))
    second = await asker(book).ask(ask(engine))
    assert second.run.endswith("-2")


async def test_no_secret_is_sent_told_or_kept(book: Log) -> None:
    def mask(text: str) -> str:
        return text.replace("hunter2", "[***]")

    says = Progress("text", "I saw hunter2")
    engine = ScriptedEngine(Answering(Plan(text="use hunter2"), says=[says], spent=COST))
    seen: list[str] = []

    async def hear(word: RunProgress) -> None:
        seen.append(word.text)

    asked = await asker(book, mask=mask, announce=hear).ask(ask(engine, prompt="the password is hunter2"))
    assert engine.asked[0].prompt == "the password is [***]"
    assert [text for text in seen if text] == ["I saw [***]"]
    state = await book.state(RUN, asked.run)
    assert state.requested is not None
    assert isinstance(state.ended, Completed)
    for ref in (state.requested.prompt, state.ended.answer, state.ended.transcript):
        assert ref is not None
        assert b"hunter2" not in await book.fetch(ref)


async def test_no_more_calls_run_at_once_than_allowed(book: Log) -> None:
    under_way, most = 0, 0

    async def counted(_: Task[Any]) -> Answering:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _turn in range(50):
            await asyncio.sleep(0)
        under_way -= 1
        return answering()

    asking = asker(book, manner=replace(AT_ONCE, parallel=3))
    await asyncio.gather(*(asking.ask(ask(ScriptedEngine(counted), prompt=str(n))) for n in range(12)))
    assert most == 3


async def test_of_fifty_calls_on_a_budget_for_ten_ten_begin(book: Log) -> None:
    engine = ScriptedEngine(*[answering()] * 50)
    asking = asker(book, replace(PLENTY, day=Limit(10 * PRICE, 100)), replace(AT_ONCE, parallel=50))
    outcomes = await asyncio.gather(
        *(asking.ask(ask(engine, prompt=str(n))) for n in range(50)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 10
    refused = [outcome for outcome in outcomes if isinstance(outcome, NotAnswered)]
    assert {one.kind for one in refused} == {FailureKind.BUDGET_EXHAUSTED}
    assert (len(refused), len(engine.asked)) == (40, 10)
