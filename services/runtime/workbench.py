"""What every agent works with: the log, the workspace, the sandbox and its limits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events.envelope import Cause
from events.fact import AggregateType, Stamp
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ImprovementFact
from events.store import Recorded
from events.target import TARGET
from schemas.aps_vocabulary import Phase
from schemas.risk import RiskClass
from services.documents.render import file_name, render
from services.runtime.claims import Held, Later, claim
from services.runtime.log import Change, Log, answering
from services.runtime.settings import Settings
from services.sandbox.port import Limits, Sandbox
from services.workspace.checkout import Workspace, WorktreeBusy
from services.workspace.git.repository import Repository
from services.workspace.suites.proving import Prover

YAML = "application/yaml"
BUSY_SECONDS = 0.5

Publish = Callable[[str, bytes], Awaitable[None]]


async def unheard(subject: str, payload: bytes) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Workbench:
    """`actor` is this copy's own name, such as `pm@host-123`; `autonomy` the highest class landing unasked.

    `health_command` is run in the target after each deployment, for `health_seconds` at most. `publish` tells
    whoever listens to a subject now; nothing of it is kept.
    """

    book: Log
    actor: str
    lease_seconds: float
    workspace: Workspace
    sandbox: Sandbox
    limits: Limits
    autonomy: RiskClass
    settings: Settings
    health_command: str | None = None
    health_seconds: float = 60.0
    publish: Publish = unheard

    @property
    def prover(self) -> Prover:
        """What runs the targets' suites."""
        return Prover(self.workspace, self.sandbox, self.limits)

    @asynccontextmanager
    async def worktree(self, target: str, name: str, commit: str) -> AsyncIterator[Path]:
        """Give a clean work tree of a target's clone, which is made where there is none.

        Raises `Later` when another copy works in it, and as `clone` does.
        """
        repository, entered = await self.clone(target, commit), False
        try:
            async with self.workspace.worktree(repository, name, commit) as tree:
                entered = True
                yield tree
        except WorktreeBusy as busy:
            if entered:
                raise
            raise Later(BUSY_SECONDS, str(busy)) from busy

    async def clone(self, target: str, commit: str) -> Repository:
        """Return our clone of a target with `commit` in it. Raises `TargetProblem`; see `Workspace.clone`."""
        registered = (await self.book.state(TARGET, target)).registered
        assert registered is not None  # noqa: S101 -- there is work on registered targets only
        return await self.workspace.clone(target, registered.path, commit)

    def cause(self, event: Recorded) -> Cause:
        """Return the cause of this copy's answers to `event`."""
        return answering(event, self.actor)

    @asynccontextmanager
    async def claim(
        self,
        kind: AggregateType[Any],
        id: str,
        work: str,
        cause: Cause,
    ) -> AsyncIterator[Held]:
        """Hold a piece of work for the time of the block; raises `Later` when another copy has it."""
        async with claim(self.book, kind, id, work, cause, self.lease_seconds) as held:
            yield held

    async def hand_over(
        self,
        id: str,
        fact: ImprovementFact,
        phase: Phase,
        cause: Cause,
        feature: str = "",
    ) -> None:
        """Record a handoff with its phase document, rendered from the state after the fact."""
        change = await self.handoff(id, fact, phase, cause, feature)
        await self.book.record_all([change], cause)

    async def handoff(
        self,
        id: str,
        fact: ImprovementFact,
        phase: Phase,
        cause: Cause,
        feature: str = "",
    ) -> Change:
        """Return the handoff as a change to record together with others."""
        loaded = await self.book.load(IMPROVEMENT, id)
        now = self.book.clock()
        IMPROVEMENT.decide(loaded.state, fact, now)
        stamp = Stamp(loaded.position.version + 1, now, cause.actor)
        after: Improvement = IMPROVEMENT.evolve(loaded.state, fact, stamp)
        text = render(phase, id, after, now, feature, loaded.state.claim)
        document = await self.book.keep(text, file_name(id, phase), YAML)
        return Change(IMPROVEMENT, id, (fact.model_copy(update={"document": document}),))
