"""When an engine fails, hangs, raises, is cancelled or paused: what follows, and what the log says of it."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events.budget import BUDGET
from events.run import RUN, Cancelled, Failed
from events.store import Unavailable
from events.swarm import ALL, SWARM, Paused, Resumed
from schemas.engine import FailureKind
from services.asking.breaker import Fuse
from services.asking.limits import Limit
from services.asking.words import NotAnswered, NotTaken
from services.engines.port import Ability, Answered, AnswerT, Readiness, Task, Tell
from services.engines.port import Failed as NoAnswer
from services.engines.scripted import Answering, Hanging, ScriptedEngine
from services.runtime.claims import Halted
from services.runtime.log import Log
from tests.asking_example import (
    AT_ONCE,
    BECAUSE,
    PLENTY,
    PRICE,
    LeavingStore,
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


async def test_the_same_engine_is_asked_again_after_what_may_pass(book: Log) -> None:
    engine = ScriptedEngine(
        *map(failing, (FailureKind.OVERLOADED, FailureKind.CUT_OFF)), answering("at last")
    )
    asked = await asker(book).ask(ask(engine))
    assert asked.value == Plan(text="at last")
    requests = [(await book.state(RUN, run)).requested for run in asked.runs]
    assert [one.attempt for one in requests if one] == [1, 2, 3]
    assert (await book.state(BUDGET, DAY)).runs == 1


async def test_it_is_not_asked_for_ever(book: Log) -> None:
    engine = ScriptedEngine(*[failing(FailureKind.OVERLOADED)] * 9)
    with pytest.raises(NotAnswered) as failure:
        await asker(book).ask(ask(engine))
    assert (failure.value.kind, len(failure.value.runs), len(engine.asked)) == (FailureKind.OVERLOADED, 3, 3)


async def test_another_engine_stands_in_and_the_log_says_for_what(book: Log) -> None:
    first = ScriptedEngine(failing(FailureKind.UNAUTHORIZED), name="first")
    second = ScriptedEngine(answering(), name="second")
    asked = await asker(book).ask(ask(first, second, session="s-1"))
    assert asked.engine == "second"
    requested = (await book.state(RUN, asked.run)).requested
    assert requested is not None
    assert (requested.engine, requested.instead_of, requested.session) == ("second", asked.runs[0], "")


async def test_an_engine_that_cannot_do_it_is_passed_over_by_name(book: Log, tmp_path: Path) -> None:
    reader, writer = ScriptedEngine(name="reader"), ScriptedEngine(answering(), name="writer")
    reader.abilities = frozenset()
    asked = await asker(book).ask(ask(reader, writer, worktree=tmp_path, may_write=True))
    assert reader.asked == []
    ended = (await book.state(RUN, asked.runs[0])).ended
    assert ended == Cancelled(reason="reader does not offer edits")


async def test_no_engine_at_all_is_said(book: Log) -> None:
    with pytest.raises(NotAnswered, match="no engine is chosen"):
        await asker(book).ask(ask())


async def test_an_ailing_engine_is_left_alone_for_a_while(book: Log, time: Time) -> None:
    ailing = [failing(FailureKind.UNAUTHORIZED)] * 2
    engine = ScriptedEngine(*ailing, answering("well again"))
    asking = asker(book, manner=replace(AT_ONCE, fuse=Fuse(failures=2, seconds=30)))
    for _ in range(2):
        with pytest.raises(NotAnswered):
            await asking.ask(ask(engine))
    with pytest.raises(NotAnswered, match="not called before 12:00:30 UTC, after 2 failures") as left:
        await asking.ask(ask(engine))
    assert (left.value.kind, len(engine.asked)) == (FailureKind.UNAUTHORIZED, 2)
    (passed_over,) = left.value.runs
    assert isinstance((await book.state(RUN, passed_over)).ended, Cancelled)
    time.passes(30)
    assert (await asking.ask(ask(engine))).value == Plan(text="well again")


async def test_while_everything_is_paused_no_call_begins(book: Log) -> None:
    engine = ScriptedEngine(answering())
    await book.record(SWARM, ALL, Paused(reason="wait"), cause=BECAUSE)
    with pytest.raises(Halted, match="everything is paused \\(wait\\)"):
        await asker(book).ask(ask(engine))
    assert engine.asked == []
    assert await told(book, "budget") == {}
    await book.record(SWARM, ALL, Resumed(), cause=BECAUSE)
    await asker(book).ask(ask(engine))


async def test_what_waits_for_its_turn_does_not_begin_after_a_pause(book: Log) -> None:
    began = asyncio.Event()

    async def slow(_: Task[Any]) -> Answering:
        began.set()
        await book.record(SWARM, ALL, Paused(reason="wait"), cause=BECAUSE)
        return answering()

    engine = ScriptedEngine(slow, answering())
    asking = asker(book, manner=replace(AT_ONCE, parallel=1))
    first = asyncio.create_task(asking.ask(ask(engine, prompt="one")))
    second = asyncio.create_task(asking.ask(ask(engine, prompt="two")))
    assert (await first).value
    with pytest.raises(Halted):
        await second


async def running(book: Log, number: int = 1) -> str:
    """The id of the run that started as the `number`th, as soon as it has."""
    async for event in book.store.live():
        number -= event.envelope.address.fact == "started"
        if not number:
            return event.envelope.address.id
    raise AssertionError("the log goes on for ever")


async def test_a_cancelled_run_ends_its_call_and_gives_the_budget_back(book: Log) -> None:
    engine = ScriptedEngine(Hanging())
    asked = asyncio.create_task(asker(book).ask(ask(engine)))
    run = await running(book)
    await book.record(RUN, run, Cancelled(reason="not wanted"), cause=BECAUSE)
    with pytest.raises(NotAnswered, match="not wanted") as stopped:
        await asyncio.wait_for(asked, 10)
    assert (stopped.value.kind, stopped.value.runs) == (FailureKind.CANCELLED, (run,))
    assert names((await told(book, "budget"))[DAY]) == ["opened", "reserved", "released"]


async def test_an_answer_after_the_cancellation_counts_for_nothing_but_its_price(
    book: Log,
) -> None:
    async def meanwhile(_: Task[Any]) -> Answering:
        await book.record(
            RUN, next(iter(await told(book, "run"))), Cancelled(reason="too slow"), cause=BECAUSE
        )
        return answering()

    with pytest.raises(NotAnswered, match="too slow") as stopped:
        await asker(book).ask(ask(ScriptedEngine(meanwhile)))
    assert stopped.value.kind is FailureKind.CANCELLED
    assert (await book.state(BUDGET, DAY)).committed_micros == PRICE


async def test_stopping_whoever_asked_ends_the_call_and_says_so(book: Log) -> None:
    engine = ScriptedEngine(Hanging())
    asked = asyncio.create_task(asker(book).ask(ask(engine)))
    run = await running(book)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    ended = (await book.state(RUN, run)).ended
    assert isinstance(ended, Cancelled)
    assert ended.reason == "whoever asked was stopped"
    assert (await book.state(BUDGET, DAY)).left_runs == 100


async def test_an_engine_that_does_not_look_at_the_clock_is_stopped(book: Log) -> None:
    question = ask(ScriptedEngine(Hanging()))
    bounded = replace(question.task, bounds=replace(question.task.bounds, seconds=0.05))
    with pytest.raises(NotAnswered, match=r"no answer within 0.05 s") as late:
        await asker(book).ask(replace(question, task=bounded))
    assert late.value.kind is FailureKind.TIMED_OUT


@pytest.mark.parametrize("took_them", [False, True])
async def test_an_answer_waits_for_a_log_that_is_away(book: Log, took_them: bool) -> None:
    store = book.store
    assert isinstance(store, LeavingStore)
    store.took_them = took_them

    async def leaving(_: Task[Any]) -> Answering:
        store.away = 1 if took_them else 3
        return answering("kept")

    asked = await asker(book).ask(ask(ScriptedEngine(leaving)))
    assert asked.value == Plan(text="kept")
    assert names((await told(book, "run"))[asked.run]) == ["requested", "started", "completed"]
    assert (await book.state(BUDGET, DAY)).runs == 1


async def test_without_the_log_nobody_is_called(book: Log) -> None:
    store, engine = book.store, ScriptedEngine(answering())
    assert isinstance(store, LeavingStore)
    store.away = 1
    with pytest.raises(Unavailable):
        await asker(book).ask(ask(engine))
    assert engine.asked == []


async def test_who_is_stopped_while_the_log_is_away_is_stopped_all_the_same(book: Log) -> None:
    store = book.store
    assert isinstance(store, LeavingStore)
    asked = asyncio.create_task(asker(book).ask(ask(ScriptedEngine(Hanging()))))
    await running(book)
    store.away = 9
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_one_call_alone_looks_whether_an_engine_is_well_again(book: Log, time: Time) -> None:
    first = ScriptedEngine(failing(FailureKind.UNAUTHORIZED), Hanging())
    asking = asker(book, manner=replace(AT_ONCE, fuse=Fuse(failures=1, seconds=30)))
    with pytest.raises(NotAnswered):
        await asking.ask(ask(first))
    time.passes(30)
    looking = asyncio.create_task(asking.ask(ask(first, prompt="look")))
    await running(book, 2)
    with pytest.raises(NotAnswered, match="is not called before"):
        await asking.ask(ask(first, prompt="another"))
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


class Raising:
    """Breaks the rule of the port."""

    name = "raising"
    abilities = frozenset[Ability]()

    async def check(self) -> Readiness:
        return Readiness(ready=True)

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | NoAnswer:
        raise RuntimeError("a bug")


async def test_an_engine_that_raises_has_failed(book: Log) -> None:
    with pytest.raises(NotAnswered, match="the engine broke: RuntimeError: a bug") as broken:
        await asker(book).ask(ask(Raising()))
    assert broken.value.kind is FailureKind.GARBLED
    assert (await book.state(BUDGET, DAY)).left_runs == 100


async def test_a_reservation_whose_holder_died_is_free_after_its_lease(book: Log, time: Time) -> None:
    limits = replace(PLENTY, day=Limit(PRICE, 9))
    dying = asyncio.create_task(asker(book, limits).ask(ask(ScriptedEngine(Hanging()))))
    run = await running(book)
    again = ask(ScriptedEngine(answering()), prompt="another")
    with pytest.raises(NotAnswered):
        await asker(book, limits).ask(again)
    time.passes(5 + 1 + 60)
    asked = await asker(book, limits).ask(again)
    ended = (await book.state(RUN, run)).ended
    assert isinstance(ended, Failed)
    assert (ended.kind, ended.reason) == (FailureKind.KILLED, "its holder was not heard of again")
    assert (await book.state(BUDGET, DAY)).runs == 1
    assert asked.run != run
    dying.cancel()
    with pytest.raises((asyncio.CancelledError, NotAnswered)):
        await dying


async def test_an_answer_whose_work_is_not_let_in_has_failed_and_is_paid(book: Log, tmp_path: Path) -> None:
    async def left() -> bytes:
        raise NotTaken("a repository of its own is left at vendor/.git")

    engine = ScriptedEngine(answering(), answering())
    with pytest.raises(NotAnswered, match="a repository of its own is left at vendor") as nothing:
        await asker(book).ask(ask(engine, left=left, worktree=tmp_path, may_write=True))
    assert (nothing.value.kind, len(engine.asked)) == (FailureKind.TOOL_DENIED, 1)
    ((*_, ended),) = (await told(book, "run")).values()
    assert isinstance(ended, Failed)
    assert (ended.kind, ended.cost_micros) == ("tool_denied", PRICE)


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize(("session", "goes_on"), [("", []), ("s-1", ["first"])])
async def test_the_tree_is_as_it_was_given_for_whoever_does_not_go_on_in_a_session(
    book: Log, tmp_path: Path, session: str, goes_on: list[str]
) -> None:
    tree, seen = tmp_path / "tree", list[list[str]]()
    tree.mkdir()

    async def restore() -> None:
        shutil.rmtree(tree)
        tree.mkdir()

    def writing(name: str, then: Answering | NoAnswer) -> Any:
        async def step(_: Task[Any]) -> Answering | NoAnswer:
            seen.append(names_in(tree))
            (tree / name).touch()
            return then

        return step

    denied = failing(FailureKind.TOOL_DENIED)
    first = ScriptedEngine(
        writing("first", failing(FailureKind.CUT_OFF)), writing("again", denied), name="one"
    )
    second = ScriptedEngine(writing("second", answering()), name="two")
    asked = ask(first, second, worktree=tree, may_write=True, restore=restore, session=session)
    assert (await asker(book).ask(asked)).engine == "two"
    assert (seen, names_in(tree)) == ([[], goes_on, []], ["second"])
