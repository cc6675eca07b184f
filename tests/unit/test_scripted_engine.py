"""The scripted engine: what it does beyond the rules that every engine keeps."""

from typing import Any

from schemas.base import Frozen
from schemas.engine import FailureKind
from services.engines.port import Answered, Failed, Progress, Readiness, Task
from services.engines.scripted import Answering, ScriptedEngine, Step


class Verdict(Frozen):
    verdict: str


def task(name: str = "judging") -> Task[Verdict]:
    return Task(name, system="Judge.", prompt="Is it good?", answer=Verdict)


def quiet(_: Progress) -> None:
    """Hear nothing."""


async def test_steps_are_taken_in_order_and_then_there_is_no_answer() -> None:
    engine = ScriptedEngine(Answering(Verdict(verdict="a")), Answering({"verdict": "b"}))
    outcomes = [await engine.ask(task(str(number)), quiet) for number in range(3)]
    assert [one.value.verdict for one in outcomes if isinstance(one, Answered)] == ["a", "b"]
    assert isinstance(outcomes[2], Failed)
    assert outcomes[2].kind is FailureKind.NO_ANSWER
    assert [asked.name for asked in engine.asked] == ["0", "1", "2"]


async def test_a_step_may_depend_on_the_task() -> None:
    async def by_name(asked: Task[Any]) -> Step:
        return Answering({"verdict": asked.name})

    outcome = await ScriptedEngine(by_name).ask(task("named"), quiet)
    assert isinstance(outcome, Answered)
    assert outcome.value == Verdict(verdict="named")


async def test_a_failure_is_given_back_as_it_stands() -> None:
    failure = Failed(FailureKind.OVERLOADED, "busy", retry_after=3)
    assert await ScriptedEngine(failure).ask(task(), quiet) is failure


async def test_it_is_as_ready_as_the_script_says() -> None:
    missing = Readiness(ready=False, problem="not there", cure="install it")
    assert (await ScriptedEngine().check()).ready
    assert await ScriptedEngine(readiness=missing).check() is missing
