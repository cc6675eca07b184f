"""Tries the migrations of a change: those before it up, its own up, down and up again, on SQLite."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.improvement import GateResult
from services.gates.evaluator_files import is_test_code
from services.gates.migration_history import History
from services.gates.migrations import NO_TOOL, Trial, declared_among, migrations
from services.workspace.environments.environment import Environment, EnvironmentProblem
from services.workspace.git.repository import Repository
from services.workspace.migrations.outcome import Ran, Went
from services.workspace.migrations.reading import migrations_at, tools_at
from services.workspace.migrations.tool import Migrating, Revision, Tool
from services.workspace.migrations.trial import Scratch, scratch
from services.workspace.suites.proving import Prover

NOTHING_YET = Ran(Went.WELL)
# What the description of a table may be made of; asking once too often costs seconds.
_MODELS = re.compile(
    r"\b(?:models?|Model|Column|mapped_column|Mapped|Table|relationship|SQLModel|DeclarativeBase|declarative_base"
    r"|sqlalchemy|django\.db)\b"
)


@dataclass(frozen=True)
class Migration:
    """A change as far as it may migrate a database: `commit` on `parent`, in the environment of `base`.

    `irreversible` names the migrations that its plan declares to be so; `worktree` is its alone.
    """

    repository: Repository
    base: str
    parent: str
    commit: str
    files: tuple[str, ...]
    irreversible: tuple[str, ...]
    worktree: str

    async def judged(self, prover: Prover) -> GateResult:
        """Say what the gate says of it; nothing is run where nothing touches the database."""
        tools = await tools_at(self.repository, self.commit)
        if not tools:
            return migrations((), otherwise=NO_TOOL)
        models = await self._touches_models()
        tried = []
        for how in tools:
            if models or any(_concerns(how, path) for path in self.files):
                texts = [await migrations_at(self.repository, at, how) for at in (self.parent, self.commit)]
                history = History(how, *texts)
                trial = Trial() if history.offences else await self._trial(prover, history)
                tried.append((history, trial))
        return migrations(tried, self.irreversible)

    async def _touches_models(self) -> bool:
        paths = [path for path in self.files if path.endswith(".py") and not is_test_code(path)]
        names = [f"{at}:{path}" for at in (self.parent, self.commit) for path in paths]
        contents = (await self.repository.read_blobs(names)).values()
        return any(_MODELS.search(content.decode("utf-8", "replace")) for content in contents)

    async def _trial(self, prover: Prover, history: History) -> Trial:
        how, new = history.how, history.new
        try:
            env = await prover.environment(self.repository, self.base)
        except EnvironmentProblem as problem:
            return Trial(why_not=f"no environment could be built: {problem}")
        if why := _unusable(how, env):
            return Trial(why_not=why)
        async with scratch(prover.sandbox, env, prover.limits) as place:
            trial = await self._before(prover, how, place)
            if trial.base.went is not Went.WELL:
                return trial
            async with prover.workspace.worktree(self.repository, self.worktree, self.commit) as tree:
                if new:
                    declared = bool(declared_among(new, self.irreversible))
                    trial = await _there_and_back(place, tree, how, new, trial, back=not declared)
                if new and trial.up.went is not Went.WELL:
                    return trial
                return replace(trial, asks=await place.step(how, tree, "check"))

    async def _before(self, prover: Prover, how: Migrating, place: Scratch) -> Trial:
        if how.settings not in await self.repository.entries(self.parent):
            return Trial(base=NOTHING_YET, asked=NOTHING_YET)
        async with prover.workspace.worktree(self.repository, self.worktree, self.parent) as tree:
            base = await place.step(how, tree, "up")
            asked = await place.step(how, tree, "check") if base.went is Went.WELL else base
            return Trial(base=base, asked=asked)


def _concerns(how: Migrating, path: str) -> bool:
    """Whether a file is a migration, or what these are run by."""
    around = {posixpath.dirname(folder) for folder in how.folders} if how.tool is Tool.ALEMBIC else ()
    return how.holds(path) or path == how.settings or posixpath.dirname(path) in around


def _unusable(how: Migrating, env: Environment) -> str:
    if how.tool.value not in env.distributions:
        return f"{how.tool.value} is not installed in the environment of the source before the change"
    return "" if how.settings else "there is no manage.py that names its settings"


async def _there_and_back(
    place: Scratch, tree: Path, how: Migrating, new: Sequence[Revision], trial: Trial, *, back: bool
) -> Trial:
    """Go up with the new migrations, `back` down and up again, and from nothing."""
    trial = replace(trial, up=await place.step(how, tree, "up"))
    if trial.up.went is not Went.WELL:
        return trial
    if back:
        places, paths = [_before_it(one) for one in new], [one.path for one in new]
        trial = replace(trial, down=await place.step(how, tree, "down", down=places, new=paths))
        if trial.down.went is Went.WELL:
            trial = replace(trial, again=await place.step(how, tree, "up"))
    return replace(trial, fresh=await place.step(how, tree, "up", database="b"))


def _before_it(one: Revision) -> str:
    """Where Alembic is told to go so that it takes back one migration."""
    if len(one.after) > 1:
        return "-1"
    return one.after[0] if one.after else "base"
