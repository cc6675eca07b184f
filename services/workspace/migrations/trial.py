"""Tries a target's migrations on a scratch SQLite database, step by step, in the sandbox.

Rules
1. The target's code moves the database; what it is then made of is read by a program of ours, alone.
2. A step is its own process: what one of them leaves running or patched is gone before the next.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from schemas.base import Frozen
from services.masking.mask import masked
from services.sandbox.port import Command, Ended, Limits, Result, Sandbox
from services.workspace.environments.environment import Environment
from services.workspace.migrations.outcome import Ran, Went
from services.workspace.migrations.tool import Migrating

# Copied, never imported: they run in the target's interpreter.
_PROBES = tuple(Path(__file__).with_name(name) for name in ("migration_probe.py", "schema_probe.py"))
_SECONDS = 120.0
_MOST_LINES = 200
# By which programs are told where their database is; whoever has it in his settings is led there anyway.
_ADDRESSES = ("DATABASE_URL", "DB_URL", "SQLALCHEMY_DATABASE_URL", "SQLALCHEMY_DATABASE_URI")
_REQUIRED = ("SECRET_KEY", "DJANGO_SECRET_KEY")


_CODES = {0: Went.WELL, 3: Went.ELSEWHERE, 4: Went.DIFFERS, 5: Went.UNKNOWN}


class Schema(Frozen):
    """What a database is made of, a line for each part, and which migrations its tool counts as applied."""

    parts: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scratch:
    """A place for databases that are thrown away. Made by `scratch`."""

    sandbox: Sandbox
    env: Environment
    limits: Limits
    probes: Path
    out: Path

    async def step(
        self,
        how: Migrating,
        tree: Path,
        step: str,
        *,
        database: str = "a",
        down: Sequence[str] = (),
        new: Sequence[str] = (),
    ) -> Ran:
        """Take a step (up, down, check) with the migrations of `tree` on one of the databases.

        `down` and `new` say how far down: Alembic's places to go to, and the files that are to be undone.
        """
        await asyncio.to_thread(self.env.apply_overlay, tree)
        await asyncio.to_thread(self.sandbox.hand_over, tree)
        mark = uuid4().hex
        job = {
            "tool": how.tool.value,
            "step": step,
            "settings": str(tree / how.settings),
            "module": how.module,
            "database": str(self.out / f"{database}.db"),
            "mark": mark,
            "down": list(down),
            "new": [str(tree / path) for path in new],
        }
        result = await self.sandbox.run(self._command(how, tree, job), self.limits)
        went, said = _told(result, mark, self.limits)
        if step == "check":
            return Ran(went, said)
        schema = await self._schema(database)
        return Ran(went, said, frozenset(schema.parts), frozenset(schema.applied))

    def _command(self, how: Migrating, tree: Path, job: Mapping[str, object]) -> Command:
        home, url = tree / how.home, f"sqlite:///{job['database']}"
        return Command(
            argv=(str(self.env.python), str(self.probes / "migration_probe.py")),
            cwd=home,
            writable=(tree, self.out),
            readable=(*self.env.readable, self.probes),
            env={
                "PATH": f"{self.env.python.parent}:/usr/local/bin:/usr/bin:/bin",
                "VIRTUAL_ENV": str(self.env.python.parent.parent),
                "PYTHONPATH": f"{home}:{tree / self.env.layout.root}",
                "PYTHONDONTWRITEBYTECODE": "1",
                **dict.fromkeys(_ADDRESSES, url),
                **dict.fromkeys(_REQUIRED, "made up for a trial of migrations; it guards nothing"),
            },
            stdin=json.dumps(job).encode(),
        )

    async def _schema(self, database: str) -> Schema:
        command = Command(
            argv=(
                *(str(self.env.python), "-I", "-S", str(self.probes / "schema_probe.py")),
                str(self.out / f"{database}.db"),
            ),
            cwd=self.out,
            writable=(self.out,),
            readable=(*self.env.readable, self.probes),
        )
        result = await self.sandbox.run(command, self.limits)
        if result.ended is not Ended.EXITED or result.exit_code:
            return Schema()
        try:
            return Schema.model_validate_json(result.stdout)
        except ValidationError:
            return Schema()


@asynccontextmanager
async def scratch(sandbox: Sandbox, env: Environment, limits: Limits) -> AsyncIterator[Scratch]:
    """Give a place for databases for the time of the block."""
    with tempfile.TemporaryDirectory(prefix="aps-migrations-") as folder:
        probes, out = Path(folder) / "probes", Path(folder) / "out"
        await asyncio.to_thread(_prepare, probes, out)
        sandbox.hand_over(out)
        limits = replace(limits, wall_seconds=min(limits.wall_seconds, _SECONDS))
        yield Scratch(sandbox, env, limits, probes, out)


def _prepare(probes: Path, out: Path) -> None:
    for place in (probes.parent, probes, out):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    for probe in _PROBES:
        shutil.copyfile(probe, probes / probe.name)


def _told(result: Result, mark: str, limits: Limits) -> tuple[Went, tuple[str, ...]]:
    if result.ended is not Ended.EXITED:
        return Went.FAILED, (
            f"it ended {result.ended.value.replace('_', ' ')} ({limits.wall_seconds:.0f} s)",
        )
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    said = tuple(masked(line.removeprefix(mark)) for line in lines if line.startswith(mark))[:_MOST_LINES]
    went = _CODES.get(result.exit_code, Went.FAILED)
    if went is Went.FAILED and not said:
        last = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        said = (f"it ended with {result.exit_code}{': ' if last else ''}{masked(' '.join(last))[:300]}",)
    return went, said
