"""One `Ask` under way: what is sent, to whom now, and the runs made for it so far."""

from dataclasses import dataclass, field
from typing import Generic

from events.run import Requested
from schemas.artefacts import ArtefactRef
from schemas.run_progress import RunProgress
from services.asking.question import Question
from services.asking.words import Ask, Choice
from services.engines.port import AnswerT, Task


@dataclass
class Inquiry(Generic[AnswerT]):
    """`task` is free of secrets; `instead_of` is the run that the next engine stands in for.

    `written` says that a call may have left something in the work tree.
    """

    ask: Ask[AnswerT]
    task: Task[AnswerT]
    runs: list[str] = field(default_factory=list)
    instead_of: str = ""
    prompt: ArtefactRef | None = None
    written: bool = False

    async def restore(self) -> None:
        """Take away what earlier calls wrote, but for a session that goes on: it knows what it wrote."""
        if self.written and self.ask.restore is not None and not self.task.session:
            await self.ask.restore()
            self.written = False


@dataclass(frozen=True)
class Try(Generic[AnswerT]):
    """One run of an inquiry: the engine, the question to it, and the how-manyth attempt with it."""

    inquiry: Inquiry[AnswerT]
    choice: Choice
    question: Question
    attempt: int = 1

    @property
    def task(self) -> Task[AnswerT]:
        """What the engine is given."""
        return self.inquiry.task

    @property
    def micros(self) -> int:
        """What is to be reserved."""
        return self.task.bounds.cost_micros if self.choice.priced else 0

    def requested(self) -> Requested:
        """Return what is recorded of it first."""
        ask = self.inquiry.ask
        return Requested(
            improvement=ask.improvement,
            role=ask.role,
            engine=self.choice.engine.name,
            model=self.choice.model,
            task=self.task.name,
            prompt=self.inquiry.prompt,
            prompt_version=ask.prompt_version,
            inputs=self.question.inputs,
            session=self.task.session,
            instead_of=self.inquiry.instead_of,
            attempt=self.attempt,
            suspicions=ask.suspicions,
        )

    def progress(self, run: str, kind: str, text: str, turn: int = 0) -> RunProgress:
        """Return a sign of life of it."""
        ask = self.inquiry.ask
        return RunProgress(
            run=run,
            improvement=ask.improvement,
            role=ask.role,
            engine=self.choice.engine.name,
            model=self.choice.model,
            task=self.task.name,
            attempt=self.attempt,
            turn=turn,
            kind=kind,
            text=text,
        )
