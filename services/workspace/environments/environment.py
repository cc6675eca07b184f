"""Builds the virtual environment a target's suite runs in, once per plan, in the sandbox.

Rules:
1. Build back-ends and installers of a target run only in the sandbox: with network, without credentials.
2. The target is installed as a wheel, so that metadata, entry points and compiled parts exist; its sources
   are run from work trees, which get what the build generated (`overlay`).
3. An environment is complete when its record exists; scripts in it hold absolute paths, so it is built in
   place under a lock, and what a crash left is built again.
"""

import asyncio
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from services.sandbox.port import Sandbox
from services.workspace.environments.building import Build, EnvironmentProblem, Progress
from services.workspace.environments.dependencies import declares
from services.workspace.environments.plan import RECIPE, Plan, is_test_source, plan_environment
from services.workspace.files import read_regular, remove, write_inside
from services.workspace.git.repository import Repository
from services.workspace.layout import Layout
from services.workspace.locks import locked
from services.workspace.sources.index import base_python, system_python_folders

__all__ = ["Environment", "EnvironmentProblem", "Progress", "build_environment", "plan_for"]

_RECORD = "environment.json"
_MOST_TEST_SOURCES = 200


@dataclass(frozen=True)
class Environment:
    """A built environment. `overlay` lists the generated files, as tree paths below `root`/overlay."""

    root: Path
    plan_sha: str
    layout: Layout
    overlay: tuple[str, ...]
    distributions: tuple[str, ...]
    notes: tuple[str, ...]
    build_ms: int

    @property
    def python(self) -> Path:
        """The environment's interpreter; only the sandbox runs it."""
        return self.root / "venv" / "bin" / "python"

    @property
    def readable(self) -> tuple[Path, ...]:
        """The folders a run in this environment must see."""
        return (self.root / "venv", *system_python_folders())

    @property
    def log(self) -> Path:
        """What every step of the build printed."""
        return self.root / "build.log"

    def apply_overlay(self, tree: Path) -> None:
        """Write the generated files into `tree`; raises `Unsafe` when a link stands in the way."""
        for path in self.overlay:
            content = read_regular(self.root / "overlay" / path)
            if content is not None:
                write_inside(tree, path, content, executable=path.endswith(".so"))


async def plan_for(repository: Repository, commit: str) -> Plan:
    """Read from `commit` what its environment depends on."""
    entries = await repository.entries(commit)
    blobs = {path: entry.sha for path, entry in entries.items() if entry.mode.startswith("100")}
    declaring = [path for path in blobs if declares(path)]
    tests = [path for path in sorted(blobs) if is_test_source(path)][:_MOST_TEST_SOURCES]
    contents = await repository.read_blobs(blobs[path] for path in (*declaring, *tests))
    texts = {path: contents[blobs[path]].decode("utf-8", "replace") for path in declaring}
    sources = tuple(contents[blobs[path]].decode("utf-8", "replace") for path in tests)
    tag = await repository.nearest_tag(commit)
    return plan_environment(blobs, texts, sources, tag=tag, python=_interpreter())


async def build_environment(
    sandbox: Sandbox,
    repository: Repository,
    commit: str,
    data: Path,
    *,
    progress: Progress = lambda _: None,
) -> Environment:
    """Return the environment of `commit`, built below `data`/environments unless it is there already.

    Any number of processes may ask at once: one builds, the others wait. Raises `EnvironmentProblem`.
    """
    folder = await asyncio.to_thread(_folder, data)
    pointer = folder / "commits" / _commit_key(commit)
    kept = await asyncio.to_thread(_known, pointer)
    if kept:
        return kept
    plan = await plan_for(repository, commit)
    made = await _built(sandbox, repository, commit, plan, folder / plan.sha[:24], progress)
    await asyncio.to_thread(_remember, pointer, made.root)
    return made


async def _built(
    sandbox: Sandbox, repository: Repository, commit: str, plan: Plan, root: Path, progress: Progress
) -> Environment:
    async with locked(root.with_suffix(".lock"), pause=0.1):
        kept = await asyncio.to_thread(_load, root)
        if kept:
            return kept
        await asyncio.to_thread(remove, root)
        await asyncio.to_thread(root.mkdir)
        started = time.monotonic()
        built = await Build(sandbox, repository, commit, plan, root, progress).run()
        made = Environment(
            root=root,
            plan_sha=plan.sha,
            layout=plan.layout,
            overlay=built.overlay,
            distributions=await asyncio.to_thread(_distributions, root / "venv"),
            notes=built.notes,
            build_ms=int((time.monotonic() - started) * 1000),
        )
        await asyncio.to_thread(_save, made)
        return made


def _folder(data: Path) -> Path:
    folder = data.absolute() / "environments"
    (folder / "commits").mkdir(parents=True, exist_ok=True)
    return folder


def _commit_key(commit: str) -> str:
    return hashlib.sha256(f"{commit} {RECIPE} {_interpreter()}".encode()).hexdigest()[:24]


def _known(pointer: Path) -> Environment | None:
    name = read_regular(pointer)
    return _load(pointer.parent.parent / name.decode()) if name else None


def _remember(pointer: Path, root: Path) -> None:
    draft = pointer.with_name(f"{pointer.name}.{os.getpid()}")
    draft.write_text(root.name)
    draft.replace(pointer)


def _distributions(venv: Path) -> tuple[str, ...]:
    found = venv.glob("lib/python*/site-packages/*.dist-info")
    return tuple(sorted({path.name.split("-")[0].lower().replace("_", "-") for path in found}))


def _interpreter() -> str:
    return f"{base_python()} {sys.version} {os.uname().machine}"


def _save(made: Environment) -> None:
    record = {**asdict(made), "root": None}
    draft = made.root / f"{_RECORD}.draft"
    draft.write_text(json.dumps(record, indent=1, sort_keys=True))
    draft.replace(made.root / _RECORD)


def _load(root: Path) -> Environment | None:
    text = read_regular(root / _RECORD)
    if text is None:
        return None
    record = json.loads(text)
    layout = Layout(record["layout"]["root"], tuple(record["layout"]["packages"]))
    return Environment(
        root=root,
        plan_sha=record["plan_sha"],
        layout=layout,
        overlay=tuple(record["overlay"]),
        distributions=tuple(record["distributions"]),
        notes=tuple(record["notes"]),
        build_ms=record["build_ms"],
    )
