"""Has others answer what a cycle asks of engines: its recording, or one engine in place of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from events.envelope import Cause
from schemas.engine import FailureKind
from services.architect.__main__ import ROLE as ARCHITECT
from services.architect.__main__ import build as architect
from services.asking.consulting import Consultant, Errand, NotAnswered
from services.asking.recorded_runs import LogRecording, PastRun, consulting, recorded_team
from services.asking.team import Consulting, consultant_of
from services.asking.words import Asked
from services.developer.__main__ import ROLE as DEVELOPER
from services.developer.__main__ import build as developer
from services.engines.port import AnswerT
from services.pm.__main__ import ROLE as PM
from services.pm.__main__ import build as pm
from services.runtime.consumer import Agent
from services.runtime.role import Role
from services.runtime.workbench import Workbench
from services.workspace.git.command import GitError
from services.workspace.git.repository import Repository

BUILDS: dict[str, Callable[[Workbench, Consulting], Agent]] = {
    PM.name: pm,
    ARCHITECT.name: architect,
    DEVELOPER.name: developer,
}


@dataclass(frozen=True)
class Substitute(Consultant):
    """Asks one engine alone, whichever was asked for, and for one improvement alone."""

    engine: str = ""
    improvement: str = ""

    async def ask(
        self, errand: Errand, answer: type[AnswerT], improvement: str, cause: Cause
    ) -> Asked[AnswerT]:
        """Ask that engine. Raises as `Consultant.ask` does, and `NotAnswered` for another improvement."""
        if improvement != self.improvement:
            raise NotAnswered(FailureKind.NOT_CAPABLE, f"only {self.improvement} is repeated here")
        return await super().ask(replace(errand, only=self.engine), answer, improvement, cause)


def by_engine(engine: str, improvement: str) -> Consulting:
    """Return a role's way to one engine that is set up."""

    def consult(bench: Workbench, role: str) -> Consultant | None:
        usual = consultant_of(bench, role)
        if usual is None:
            return None
        return Substitute(
            usual.asker, role, usual.engines, usual.policy, usual.bounds, usual.unpriced, engine, improvement
        )

    return consult


def by_recording(recording: LogRecording, runs: Sequence[PastRun], repository: Repository) -> Consulting:
    """Return a role's way to what was answered then; what was written is applied as it was left."""
    return consulting(recorded_team(recording, runs, partial(_applied, repository)))


def substituted(role: Role, consult: Consulting) -> Role:
    """Return a role that asks as `consult` gives; one that asks nobody stays as it is."""
    build = BUILDS.get(role.name)
    return role if build is None else replace(role, build=lambda bench: build(bench, consult))


async def _applied(repository: Repository, tree: Path, patch: bytes) -> str:
    """Apply a patch to the files of a work tree, whole or not at all; return why it does not fit."""
    try:
        git = replace(repository.git, work_tree=tree)
        await git("apply", "--whitespace=nowarn", "-", stdin=patch)
    except GitError as refused:
        return refused.stderr
    return ""
