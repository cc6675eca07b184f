"""How a role asks engines: who it is, whom it may ask, and how strangers' text is marked in its prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from events.envelope import Cause
from services.asking.words import Ask, Asked, Choice, NotAnswered
from services.engines.port import AnswerT, Bounds, Task, Tell
from services.prompting.template import Template

RULES = Template.load("services.prompting", "untrusted")
NOT_CAPABLE = (
    "no AI engine is set up, and the deterministic engine cannot do what is asked in words:"
    " set CLAUDE_CODE_PATH and a key for it, or OPENAI_BASE_URL; see: aps doctor"
)


BOUNDS = Bounds()


class Asker(Protocol):
    """What calls engines, within budgets; see `services.asking.asker`."""

    async def ask(self, ask: Ask[AnswerT], tell: Tell = ...) -> Asked[AnswerT]:
        """Return an answer. Raises `NotAnswered`, or `Halted` while everything is paused."""
        ...


@dataclass(frozen=True)
class Errand:
    """One thing to ask: the filled prompt, the model of the answer, and where it may look or write."""

    name: str
    template: Template
    prompt: str
    worktree: Path | None = None
    may_write: bool = False
    session: str = ""
    inputs: str = ""
    bounds: Bounds = BOUNDS


@dataclass(frozen=True)
class Consultant:
    """A role's way to the engines. `engines` are tried in order."""

    asker: Asker
    role: str
    engines: Sequence[Choice]

    async def ask(
        self, errand: Errand, answer: type[AnswerT], improvement: str, cause: Cause
    ) -> Asked[AnswerT]:
        """Ask for `improvement`. Raises `NotAnswered`, `Halted`."""
        task = Task(
            name=errand.name,
            system=RULES.text,
            prompt=errand.prompt,
            answer=answer,
            worktree=errand.worktree,
            may_write=errand.may_write,
            session=errand.session,
            bounds=errand.bounds,
        )
        ask = Ask(
            role=self.role,
            improvement=improvement,
            task=task,
            engines=self.engines,
            cause=cause,
            prompt_version=errand.template.version,
            inputs=errand.inputs,
        )
        return await self.asker.ask(ask)


__all__ = ("NOT_CAPABLE", "Asker", "Consultant", "Errand", "NotAnswered")
