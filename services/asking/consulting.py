"""How a role asks engines: who it is, whom it may ask, and how strangers' text is marked in its prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from events.envelope import Cause
from schemas.engine import FailureKind
from services.asking.words import Ask, Asked, Choice, Left, NotAnswered, Restore, whatever
from services.engines.choosing import Wanted, wanted_for
from services.engines.port import AnswerT, Bounds, Engine, Task
from services.prompting.material import Material, reported
from services.prompting.template import Template

RULES = Template.load("services.prompting", "untrusted", takes=())
NOT_CAPABLE = (
    "no AI engine is set up, and the deterministic engine cannot do what is asked in words:"
    " set CLAUDE_CODE_API_KEY (or CLAUDE_CODE_TOKEN), or OPENAI_COMPATIBLE_URL"
)


BOUNDS = Bounds()
MOST_SUSPICIONS = 50


class Asker(Protocol):
    """What calls engines, within budgets; see `services.asking.asker`."""

    async def ask(self, ask: Ask[AnswerT]) -> Asked[AnswerT]:
        """Return an answer. Raises `NotAnswered`, or `Halted` while everything is paused."""
        ...


@dataclass(frozen=True)
class Errand:
    """One thing to ask: the filled prompt, and where it may look or write. `only` names one engine to ask.

    `materials` are what of the prompt strangers wrote, `left` returns what was written as a patch,
    `restore` takes it away. An earlier answer is taken only where it `fits`.
    """

    name: str
    template: Template
    prompt: str
    worktree: Path | None = None
    may_write: bool = False
    session: str = ""
    inputs: str = ""
    only: str = ""
    materials: Sequence[Material] = ()
    left: Left | None = None
    restore: Restore | None = None
    fits: Callable[[Any], bool] = whatever


@dataclass(frozen=True)
class Consultant:
    """A role's way to the engines that are set up; `policy` says which it asks for what.

    No money is reserved for a call of an engine that is `unpriced`.
    """

    asker: Asker
    role: str
    engines: Mapping[str, Engine]
    policy: Sequence[Wanted]
    bounds: Bounds = BOUNDS
    unpriced: frozenset[str] = frozenset()

    async def ask(
        self, errand: Errand, answer: type[AnswerT], improvement: str, cause: Cause
    ) -> Asked[AnswerT]:
        """Ask for `improvement`. Raises `NotAnswered`, `Halted`."""
        wanted = wanted_for(self.policy, self.role, errand.name, errand.only)
        choices = [
            Choice(self.engines[one.engine], one.model, priced=one.engine not in self.unpriced)
            for one in wanted
            if one.engine in self.engines
        ]
        if not choices:
            raise NotAnswered(FailureKind.NOT_CAPABLE, _nobody(f"{self.role}.{errand.name}", wanted))
        task = Task(
            name=errand.name,
            system=RULES.text,
            prompt=errand.prompt,
            answer=answer,
            worktree=errand.worktree,
            may_write=errand.may_write,
            session=errand.session,
            bounds=self.bounds,
            prompt_version=errand.template.version,
        )
        ask = Ask(
            role=self.role,
            improvement=improvement,
            task=task,
            engines=choices,
            cause=cause,
            prompt_version=errand.template.version,
            inputs=errand.inputs,
            suspicions=reported(errand.materials, MOST_SUSPICIONS),
            left=errand.left,
            restore=errand.restore,
            fits=errand.fits,
        )
        return await self.asker.ask(ask)


def _nobody(whom: str, wanted: Sequence[Wanted]) -> str:
    if not wanted:
        return (
            f"no engine is set up for {whom}: APS_ENGINES names none for it;"
            " name one for everybody, such as claude_code"
        )
    names = ", ".join(dict.fromkeys(one.engine for one in wanted))
    return f"no engine is set up for {whom}: APS_ENGINES names {names} for it; set that up, or name another"


__all__ = ("NOT_CAPABLE", "Asker", "Consultant", "Errand", "NotAnswered")
