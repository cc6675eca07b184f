"""The engine `recorded`: answers what was asked before as it was answered then, and calls nobody.

A question counts as the same when the task, the version of its prompt and the hash of its inputs are. Asked
again and again it is answered in the order of the recording, failures too, so that a repetition goes the way
of the original. `spent` is what the call had cost then.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from schemas.engine import FailureKind, Spent
from services.engines.line import one_line
from services.engines.port import (
    NOTHING_SPENT,
    Ability,
    Answered,
    AnswerT,
    Failed,
    Progress,
    Readiness,
    Task,
    Tell,
)

NAME = "recorded"
VERSION = "1"
_SHOWN = 12  # characters of a hash


@dataclass(frozen=True)
class Question:
    """What makes a question the same: hashes as a run's request holds them."""

    task: str
    prompt_version: str
    inputs: str


@dataclass(frozen=True)
class RecordedAnswer:
    """An answer as JSON, and the patch that the call left in its work tree (None: not recorded)."""

    answer: bytes
    patch: bytes | None = None
    spent: Spent = NOTHING_SPENT
    session: str = ""
    transcript: bytes = b""
    version: str = ""
    suspicions: tuple[str, ...] = ()


class Recording(Protocol):
    """What was asked once, and how it was answered."""

    def question(self, task: Task[Any]) -> Question:
        """Return what makes this task the same question as another."""
        ...

    async def take(self, question: Question) -> RecordedAnswer | Failed | None:
        """Return the next answer to this very question that was not taken yet, or None."""
        ...

    async def questions(self) -> Sequence[Question]:
        """Return all questions of the recording."""
        ...


Patching = Callable[[Path, bytes], Awaitable[str]]


class RecordedEngine:
    """Answers from a recording. `patch` applies a patch to a work tree whole, or says why it does not."""

    abilities = frozenset({Ability.EDITS, Ability.SESSIONS})

    def __init__(self, recording: Recording, patch: Patching, name: str = NAME) -> None:
        self.name = name
        self._recording = recording
        self._patch = patch

    async def check(self) -> Readiness:
        """It is ready where there is something recorded."""
        if await self._recording.questions():
            return Readiness(True, VERSION)
        return Readiness(False, VERSION, "nothing was recorded", "choose another engine")

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        """Give the next recorded answer to this question."""
        question = self._recording.question(task)
        found = await self._recording.take(question)
        if found is None:
            reason = one_line(difference(question, await self._recording.questions()))
            return Failed(FailureKind.NOT_CAPABLE, reason)
        tell(Progress("turn", "the recorded answer"))
        return found if isinstance(found, Failed) else await self._answered(task, found)

    async def _answered(self, task: Task[AnswerT], found: RecordedAnswer) -> Answered[AnswerT] | Failed:
        try:
            value = task.answer.model_validate_json(found.answer)
        except ValidationError as wrong:
            places = ", ".join(sorted({".".join(map(str, each["loc"])) for each in wrong.errors()}))
            return Failed(
                FailureKind.NOT_CAPABLE,
                f"the recorded answer is none to this question any more: {places[:200]}",
            )
        if problem := await self._written(task, found.patch):
            return Failed(FailureKind.NOT_CAPABLE, one_line(problem))
        return Answered(
            value,
            found.spent,
            found.session,
            found.transcript,
            found.version,
            suspicions=found.suspicions,
        )

    async def _written(self, task: Task[AnswerT], patch: bytes | None) -> str:
        """Leave in the work tree what the call had left; return why that cannot be."""
        if not task.may_write or task.worktree is None:
            return ""
        if patch is None:
            return "the recording does not hold what the call wrote"
        why = await self._patch(task.worktree, patch) if patch else ""
        return f"the recorded patch does not fit the work tree: {why}" if why else ""


def difference(question: Question, known: Sequence[Question]) -> str:
    """Say in what a question differs from those that were asked."""
    same_task = [each for each in known if each.task == question.task]
    if question in same_task:
        return f"{question.task!r} is asked more often than in the recording"
    if not same_task:
        return f"{question.task!r} was never asked in the recording"
    versions = {each.prompt_version for each in same_task}
    if question.prompt_version not in versions:
        return (
            f"the prompt of {question.task!r} changed: recorded {_short(versions)},"
            f" now {_short({question.prompt_version})}"
        )
    inputs = {each.inputs for each in same_task if each.prompt_version == question.prompt_version}
    return (
        f"the inputs of {question.task!r} changed under the same prompt: recorded {_short(inputs)},"
        f" now {_short({question.inputs})}"
    )


def _short(hashes: set[str]) -> str:
    first, *rest = sorted(each[:_SHOWN] or "none" for each in hashes)
    return f"{first} and {len(rest)} more" if rest else first
