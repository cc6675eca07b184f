"""What every engine does for whoever asks it: the rules of `services.engines.port`.

A stage makes an engine do the acts of a test; an engine that joins the suite brings its own stage.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from schemas.engine import FailureKind
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.engine import OpenAICompatible
from services.engines.openai_compatible.pricing import FREE, Prices
from services.engines.port import Answered, Engine, Failed, Progress
from services.engines.scripted import Answering, Hanging, ScriptedEngine, Step
from services.sandbox.detect import detect
from tests import chat_api, messages_api
from tests.claude_asking import KEY, SECONDS, Verdict, claude, no_process_left, question, quiet, worktree_in

GOOD: Mapping[str, str | int] = {"verdict": "fine", "count": 3}


@dataclass(frozen=True)
class Act:
    """What the engine does in one call: write files, then say a word, then one of the endings."""

    writes: Mapping[str, str]
    says: str
    ending: str | Mapping[str, str | int]


HANGS, SAYS_NOTHING, IS_BUSY = "hangs", "says nothing", "is busy"


def act(
    ending: str | Mapping[str, str | int], *, says: str = "", writes: Mapping[str, str] | None = None
) -> Act:
    return Act(writes or {}, says, ending)


class Stage(Protocol):
    """Makes an engine do acts, one a call. `tree` is the work tree of all tasks."""

    @property
    def tree(self) -> Path: ...

    def playing(self, *acts: Act) -> AbstractAsyncContextManager[Engine]: ...


@dataclass(frozen=True)
class ScriptedStage:
    tree: Path

    @asynccontextmanager
    async def playing(self, *acts: Act) -> AsyncIterator[Engine]:
        yield ScriptedEngine(*map(self._step, acts))

    def _step(self, act: Act) -> Step:
        match act.ending:
            case str() as ending if ending == HANGS:
                return Hanging(act.writes)
            case str() as ending:
                kind = FailureKind.OVERLOADED if ending == IS_BUSY else FailureKind.NO_ANSWER
                return Failed(kind, ending)
            case value:
                return Answering(value, act.writes, [Progress("text", act.says)] if act.says else [])


@dataclass(frozen=True)
class ClaudeStage:
    tree: Path
    home: Path

    @asynccontextmanager
    async def playing(self, *acts: Act) -> AsyncIterator[Engine]:
        steps = [step for act in acts for step in self._steps(act)]
        async with messages_api.MessagesApi({"acts": steps}).serving() as api:
            yield claude(self.home, api.url("acts"), await detect())

    def _steps(self, act: Act) -> list[messages_api.Step]:
        writes: list[messages_api.Step] = [
            messages_api.Use("Write", {"file_path": str(self.tree / path), "content": text})
            for path, text in act.writes.items()
        ]
        return [*writes, self._ending(act)]

    def _ending(self, act: Act) -> messages_api.Step:
        match act.ending:
            case str() as ending if ending == HANGS:
                return messages_api.Break("hangs")
            case str() as ending if ending == IS_BUSY:
                return messages_api.Refuse(529, "overloaded_error", "Overloaded")
            case str():
                return messages_api.Say("I have no answer.")
            case value:
                return messages_api.Use(messages_api.ANSWER_TOOL, value, act.says)


@dataclass(frozen=True)
class ChatStage:
    tree: Path

    @asynccontextmanager
    async def playing(self, *acts: Act) -> AsyncIterator[Engine]:
        async with chat_api.chat_api(*[step for act in acts for step in self._steps(act)]) as api:
            prices = Prices(otherwise=FREE)
            yield OpenAICompatible(Endpoint(api.url, KEY, "any", prices))

    def _steps(self, act: Act) -> list[chat_api.Step]:
        used = [("write_file", {"path": path, "content": text}) for path, text in act.writes.items()]
        steps = [chat_api.calls(*used)] if used else []
        if act.says:
            steps.append(chat_api.calls(("list_files", {"path": "."}), says=act.says))
        return [*steps, self._ending(act)]

    def _ending(self, act: Act) -> chat_api.Step:
        match act.ending:
            case str() as ending if ending == HANGS:
                return chat_api.hangs
            case str() as ending if ending == IS_BUSY:
                return chat_api.refuses(529, chat_api.error("Overloaded"))
            case str():
                return chat_api.says("")
            case value:
                return chat_api.answers(**value)


@pytest.fixture(params=["scripted", "claude_code", "openai_compatible"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    tree = worktree_in(tmp_path)
    stages: dict[str, Stage] = {
        "scripted": ScriptedStage(tree),
        "claude_code": ClaudeStage(tree, tmp_path),
        "openai_compatible": ChatStage(tree),
    }
    return stages[request.param]


def contents(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


async def test_it_can_be_asked_when_it_says_so(stage: Stage) -> None:
    async with stage.playing() as engine:
        readiness = await engine.check()
    assert readiness.ready
    assert readiness.version


async def test_an_answer_is_of_the_tasks_own_model(stage: Stage) -> None:
    async with stage.playing(act(GOOD)) as engine:
        outcome = await engine.ask(question(stage.tree), quiet)
    assert isinstance(outcome, Answered), outcome
    assert outcome.value == Verdict(verdict="fine", count=3)
    assert outcome.spent.turns > 0
    assert outcome.version
    assert outcome.transcript


async def test_a_task_needs_no_work_tree(stage: Stage) -> None:
    async with stage.playing(act(GOOD)) as engine:
        assert isinstance(await engine.ask(question(), quiet), Answered)


async def test_an_answer_that_does_not_fit_is_a_failure(stage: Stage) -> None:
    async with stage.playing(act({"verdict": "fine", "count": "many"})) as engine:
        outcome = await engine.ask(question(stage.tree), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.INVALID_ANSWER


async def test_no_answer_is_a_failure(stage: Stage) -> None:
    async with stage.playing(act(SAYS_NOTHING)) as engine:
        outcome = await engine.ask(question(stage.tree), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.NO_ANSWER


async def test_a_busy_engine_is_a_failure_that_may_be_tried_again(stage: Stage) -> None:
    async with stage.playing(act(IS_BUSY)) as engine:
        outcome = await engine.ask(question(stage.tree), quiet)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.OVERLOADED
    assert outcome.kind.again
    assert "\n" not in outcome.reason


async def test_what_it_says_on_the_way_is_told_in_one_clean_line(stage: Stage) -> None:
    told: list[Progress] = []
    async with stage.playing(act(GOOD, says="Looking at it.")) as engine:
        await engine.ask(question(stage.tree), told.append)
    assert Progress("text", "Looking at it.") in told
    assert all(one.kind in {"text", "tool", "turn", "retry"} and one.text.isprintable() for one in told)


async def test_with_leave_it_writes_into_the_work_tree(stage: Stage) -> None:
    async with stage.playing(act(GOOD, writes={"b.txt": "two\n"})) as engine:
        outcome = await engine.ask(question(stage.tree, may_write=True), quiet)
    assert isinstance(outcome, Answered), outcome
    assert contents(stage.tree) == {"a.txt": "one\n", "b.txt": "two\n"}


async def test_without_leave_nothing_in_the_work_tree_changes(stage: Stage) -> None:
    async with stage.playing(act(GOOD, writes={"b.txt": "two\n", "a.txt": "gone\n"})) as engine:
        await engine.ask(question(stage.tree), quiet)
    assert contents(stage.tree) == {"a.txt": "one\n"}


async def test_cancelling_ends_what_it_started_and_keeps_what_it_wrote(stage: Stage) -> None:
    written = stage.tree / "b.txt"
    async with stage.playing(act(HANGS, writes={"b.txt": "two\n"})) as engine:
        with no_process_left():
            asking = asyncio.create_task(engine.ask(question(stage.tree, may_write=True), quiet))
            async with asyncio.timeout(SECONDS):
                while not written.exists():  # noqa: ASYNC110 -- the other side is a program
                    await asyncio.sleep(0.02)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    assert written.read_text() == "two\n"


async def test_a_session_goes_on(stage: Stage) -> None:
    later: Mapping[str, str | int] = {"verdict": "still fine", "count": 4}
    async with stage.playing(act(GOOD), act(later)) as engine:
        first = await engine.ask(question(stage.tree), quiet)
        second = await engine.ask(question(stage.tree, session=first.session), quiet)
    assert isinstance(second, Answered), second
    assert second.value == Verdict.model_validate(later)
    assert second.session == first.session


@pytest.mark.parametrize("name", ["claude_code", "openai_compatible"])
async def test_no_credential_stands_in_what_comes_back(tmp_path: Path, name: str) -> None:
    """Only an engine that has one can give it away; the API repeats it in all it says."""
    tree = worktree_in(tmp_path)
    stage: Stage = ClaudeStage(tree, tmp_path) if name == "claude_code" else ChatStage(tree)
    async with stage.playing(act({"verdict": f"it is {KEY}", "count": 1}, says=f"Your key: {KEY}")) as engine:
        outcome = await engine.ask(question(stage.tree), quiet)
    assert isinstance(outcome, Answered)
    assert KEY not in repr(outcome)
    assert b"Your key" in outcome.transcript
