"""The engine that answers as it was answered before."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.engine import FailureKind, Spent
from services.engines.port import Answered, Failed, Task
from services.engines.recorded import Question, RecordedAnswer, RecordedEngine
from tests.openai_asking import GOOD, Verdict, question

ASKED = Question("verdict", "v1" * 20, "Is it good?")
ANSWER = RecordedAnswer(GOOD.encode(), spent=Spent(cost_micros=7), session="s", version="2")


class Held:
    """A recording in memory; a task's prompt stands for the hash of its inputs."""

    def __init__(self, answers: Mapping[Question, Sequence[RecordedAnswer | Failed]]) -> None:
        self.answers = {question: list(given) for question, given in answers.items()}

    def question(self, task: Task[Any]) -> Question:
        return Question(task.name, ASKED.prompt_version, task.prompt)

    async def take(self, question: Question) -> RecordedAnswer | Failed | None:
        given = self.answers.get(question)
        return given.pop(0) if given else None

    async def questions(self) -> Sequence[Question]:
        return tuple(self.answers)


async def fits(worktree: Path, patch: bytes) -> str:
    (worktree / "patched").write_bytes(patch)
    return ""


async def refused(worktree: Path, patch: bytes) -> str:
    return "a.py: hunk 1\ndoes not match"


async def outcome(
    *answers: RecordedAnswer | Failed, asked: Question = ASKED, task: Task[Verdict] | None = None
) -> Answered[Verdict] | Failed:
    engine = RecordedEngine(Held({asked: answers}), fits)
    return await engine.ask(task or question(), lambda _: None)


async def test_an_answer_comes_as_it_came() -> None:
    given = await outcome(ANSWER)
    assert given == Answered(Verdict(good=True, why="it is short"), Spent(cost_micros=7), "s", b"", "2")


async def test_answers_to_one_question_come_in_their_order_failures_too() -> None:
    late = Failed(FailureKind.TIMED_OUT, "late")
    engine = RecordedEngine(Held({ASKED: (late, ANSWER)}), fits)
    came = [await engine.ask(question(), lambda _: None) for _ in range(3)]
    assert came[0] == late
    assert isinstance(came[1], Answered)
    assert isinstance(came[2], Failed)
    assert came[2].kind is FailureKind.NOT_CAPABLE
    assert "more often than in the recording" in came[2].reason


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Question("design", "", ""), "'verdict' was never asked"),
        (
            Question("verdict", "a" * 40, "Is it good?"),
            "prompt of 'verdict' changed: recorded aaaaaaaaaaaa, now v1",
        ),
        (
            Question("verdict", ASKED.prompt_version, "b" * 40),
            "inputs of 'verdict' changed under the same prompt",
        ),
    ],
)
async def test_a_question_never_asked_names_the_difference(asked: Question, said: str) -> None:
    given = await outcome(ANSWER, asked=asked)
    assert isinstance(given, Failed)
    assert given.kind is FailureKind.NOT_CAPABLE
    assert not given.kind.again
    assert said in given.reason


async def test_an_answer_that_no_longer_fits_is_a_failure() -> None:
    given = await outcome(RecordedAnswer(b'{"good": true}'))
    assert isinstance(given, Failed)
    assert "none to this question any more: why" in given.reason


async def test_a_patch_is_left_in_the_work_tree(tmp_path: Path) -> None:
    given = await outcome(RecordedAnswer(GOOD.encode(), b"a patch"), task=question(tmp_path, may_write=True))
    assert isinstance(given, Answered)
    assert (tmp_path / "patched").read_bytes() == b"a patch"


async def test_without_the_right_to_write_nothing_is_written(tmp_path: Path) -> None:
    given = await outcome(RecordedAnswer(GOOD.encode(), b"a patch"), task=question(tmp_path))
    assert isinstance(given, Answered)
    assert not (tmp_path / "patched").exists()


async def test_a_call_that_wrote_cannot_be_repeated_without_its_patch(tmp_path: Path) -> None:
    given = await outcome(ANSWER, task=question(tmp_path, may_write=True))
    assert isinstance(given, Failed)
    assert "does not hold what the call wrote" in given.reason


async def test_a_patch_that_does_not_fit_is_a_failure(tmp_path: Path) -> None:
    recorded = RecordedAnswer(GOOD.encode(), b"a patch")
    engine = RecordedEngine(Held({ASKED: (recorded,)}), refused)
    given = await engine.ask(question(tmp_path, may_write=True), lambda _: None)
    assert isinstance(given, Failed)
    assert given.reason.endswith("a.py: hunk 1 does not match")


async def test_it_is_ready_where_something_was_recorded() -> None:
    assert (await RecordedEngine(Held({ASKED: ()}), fits).check()).ready
    assert not (await RecordedEngine(Held({}), fits).check()).ready
