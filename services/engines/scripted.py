"""An engine that answers from a script, for tests of whatever asks an engine.

Each call takes the next step. It keeps the rules of the port like any other engine: answers are validated,
files change only where that is allowed, a cancelled call writes nothing more.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from pydantic import JsonValue, ValidationError

from schemas.base import Frozen
from schemas.engine import FailureKind, Spent
from services.engines.port import (
    Ability,
    Answered,
    AnswerT,
    Failed,
    Progress,
    Read,
    Readiness,
    Task,
    Tell,
)

VERSION = "1"
ONE_TURN = Spent(turns=1)


@dataclass(frozen=True)
class Answering:
    """Answer with `value` after it `read`, wrote `files` (by their path in the work tree) and told `says`."""

    value: Frozen | Mapping[str, JsonValue]
    files: Mapping[str, str] = field(default_factory=dict)
    says: Sequence[Progress] = ()
    spent: Spent = ONE_TURN
    read: tuple[Read, ...] = ()


@dataclass(frozen=True)
class Hanging:
    """Tell that it began, write `files`, and never answer."""

    files: Mapping[str, str] = field(default_factory=dict)


Step = Answering | Hanging | Failed
Deciding = Callable[[Task[Any]], Awaitable[Step]]
NOTHING_LEFT = Failed(FailureKind.NO_ANSWER, "the script has no step left")


class ScriptedEngine:
    """Takes the steps in order; a step may be a function of the task. `asked` are the tasks, in order."""

    abilities = frozenset({Ability.EDITS, Ability.SESSIONS})

    def __init__(
        self, *steps: Step | Deciding, name: str = "scripted", readiness: Readiness | None = None
    ) -> None:
        self.name = name
        self.asked: list[Task[Any]] = []
        self.readiness = readiness or Readiness(ready=True, version=VERSION)
        self._steps = list(steps)

    async def check(self) -> Readiness:
        """Say what the script says."""
        return self.readiness

    async def ask(self, task: Task[AnswerT], tell: Tell) -> Answered[AnswerT] | Failed:
        """Take the next step; without one there is no answer."""
        self.asked.append(task)
        step = self._steps.pop(0) if self._steps else NOTHING_LEFT
        if not isinstance(step, Step):
            step = await step(task)
        session = task.session or str(uuid4())
        match step:
            case Failed():
                return step
            case Hanging(files):
                _write(task, files)
                tell(Progress("turn", "began"))
                await asyncio.Event().wait()
                raise AssertionError("nobody sets that event")
            case Answering():
                return _answered(task, tell, step, session)


def _answered(task: Task[AnswerT], tell: Tell, step: Answering, session: str) -> Answered[AnswerT] | Failed:
    for one in step.says:
        tell(one)
    raw = step.value.model_dump_json() if isinstance(step.value, Frozen) else json.dumps(dict(step.value))
    try:
        value = task.answer.model_validate_json(raw)
    except ValidationError as error:
        reason = f"the answer does not fit: {error.error_count()} problems"
        return Failed(FailureKind.INVALID_ANSWER, reason, step.spent, session, version=VERSION)
    if not _write(task, step.files):
        denied = "this task may not change files"
        return Failed(FailureKind.TOOL_DENIED, denied, step.spent, session, version=VERSION)
    return Answered(value, step.spent, session, raw.encode(), VERSION, step.read)


def _write(task: Task[Any], files: Mapping[str, str]) -> bool:
    """Write into the work tree and tell whether that was allowed; writing nothing always is."""
    if files and (task.worktree is None or not task.may_write):
        return False
    for path, text in files.items():
        assert task.worktree is not None  # noqa: S101 -- seen above
        (task.worktree / path).write_text(text, "utf-8")
    return True
