"""Builds the virtual environment a target's suite runs in, once per plan, in the sandbox.

Rules:
1. Build back-ends and installers of a target run only in the sandbox: with network, without credentials.
2. The target is installed as a wheel, so that metadata, entry points and compiled parts exist; its sources
   are run from work trees, which get what the build generated (`overlay`).
3. An environment is complete when its record exists; scripts in it hold absolute paths, so it is built in
   place under a lock, and what a crash left is built again.
"""

import asyncio
import fcntl
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from services.sandbox.port import Command, Ended, Limits, Result, Sandbox
from services.workspace.dependencies import ALWAYS, declares, metadata_declares
from services.workspace.files import read_regular, remove, write_inside
from services.workspace.git import Repository
from services.workspace.index import IndexSettings, base_python, index_settings, system_python_folders
from services.workspace.layout import Layout
from services.workspace.plan import Plan, is_test_source, plan_environment
from services.workspace.wheel import generated_files, read_metadata

Progress = Callable[[str], None]
_RECORD = "environment.json"
_STEP = Limits(wall_seconds=1200.0, processes=1024)
_MOST_TEST_SOURCES = 200


class EnvironmentProblem(Exception):  # noqa: N818 -- names whose problem it is
    """No environment could be built: even pytest could not be installed. The message carries pip's reason."""


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
    texts = {path: await _text(repository, commit, path) for path in blobs if declares(path)}
    tests = [path for path in sorted(blobs) if is_test_source(path)][:_MOST_TEST_SOURCES]
    sources = tuple([await _text(repository, commit, path) for path in tests])
    tag = await repository.nearest_tag(commit)
    return plan_environment(
        blobs, texts, sources, tag=tag, python=f"{base_python()} {sys.version} {os.uname().machine}"
    )


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
    plan = await plan_for(repository, commit)
    root = await asyncio.to_thread(_place, data, plan)
    async with _locked(root.with_suffix(".lock")):
        kept = await asyncio.to_thread(_load, root)
        if kept:
            return kept
        await asyncio.to_thread(remove, root)
        await asyncio.to_thread(root.mkdir)
        return await _Build(sandbox, repository, commit, plan, root, progress).run()


class _Build:
    """One build in progress."""

    def __init__(
        self,
        sandbox: Sandbox,
        repository: Repository,
        commit: str,
        plan: Plan,
        root: Path,
        progress: Progress,
    ) -> None:
        self.sandbox, self.repository, self.commit = sandbox, repository, commit
        self.plan, self.root, self.progress = plan, root, progress
        self.venv, self.scratch = root / "venv", root / "build"
        self.notes: list[str] = []
        self.settings = IndexSettings("", {}, ())

    async def run(self) -> Environment:
        started = time.monotonic()
        self.settings = await index_settings(self.root.parent)
        await asyncio.to_thread(self.scratch.mkdir)
        await asyncio.to_thread((self.scratch / "pip.conf").write_text, self.settings.config)
        self.progress("creating a virtual environment")
        await self._create()
        wheel = await self._wheel() if self.plan.installable else None
        testing = self.plan.declared.testing
        if wheel is not None:
            testing = tuple(dict.fromkeys((*testing, *metadata_declares(read_metadata(wheel)).testing)))
        await self._install(wheel, (*testing, *self.plan.recognised))
        overlay = await self._overlay(wheel)
        await asyncio.to_thread(_take_back, self.venv)
        await asyncio.to_thread(remove, self.scratch)
        made = Environment(
            root=self.root,
            plan_sha=self.plan.sha,
            layout=self.plan.layout,
            overlay=overlay,
            distributions=await asyncio.to_thread(_distributions, self.venv),
            notes=tuple(self.notes),
            build_ms=int((time.monotonic() - started) * 1000),
        )
        await asyncio.to_thread(_save, made)
        return made

    async def _create(self) -> None:
        process = await asyncio.create_subprocess_exec(
            base_python(), "-I", "-m", "venv", str(self.venv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode:
            raise EnvironmentProblem(f"python -m venv failed: {said.decode('utf-8', 'replace')}")
        self.sandbox.hand_over(self.venv)

    async def _wheel(self) -> Path | None:
        self.progress("building the package")
        tree, wheels = self.scratch / "tree", self.scratch / "wheels"
        await self.repository.export(self.commit, tree)
        await asyncio.to_thread(wheels.mkdir)
        self.sandbox.hand_over(tree)
        self.sandbox.hand_over(wheels)
        version = self.plan.version
        env = {
            "SETUPTOOLS_SCM_PRETEND_VERSION": version,
            "PBR_VERSION": version,
            "PDM_BUILD_SCM_VERSION": version,
            "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
        }
        arguments = ("wheel", "--no-deps", "--wheel-dir", str(wheels), str(tree))
        result = await self._pip(arguments, writable=(tree, wheels), env=env)
        built = await asyncio.to_thread(lambda: sorted(wheels.glob("*.whl")))
        if result.exit_code == 0 and len(built) == 1 and not built[0].is_symlink():
            return built[0]
        self.notes.append(
            f"the package could not be built, only its dependencies are there: {_reason(result)}"
        )
        return None

    async def _install(self, wheel: Path | None, optional: Sequence[str]) -> None:
        own = (str(wheel),) if wheel else self.plan.declared.runtime
        self.progress(f"installing {len({*own, *ALWAYS, *optional})} requirements and what they need")
        if await self._installs(*own, *ALWAYS, *optional) is None:
            return
        if not await self._base(own):
            for one in self.plan.declared.runtime:
                await self._try(one, "dependency")
        for one in optional:
            await self._try(one, "test dependency")

    async def _base(self, own: Sequence[str]) -> bool:
        refused = await self._installs(*own, *ALWAYS)
        if refused is None:
            return True
        alone = await self._installs(*ALWAYS)
        if alone is not None:
            raise EnvironmentProblem(f"pytest could not be installed: {alone}")
        self.notes.append(f"the package could not be installed: {refused}")
        return False

    async def _try(self, requirement: str, kind: str) -> None:
        self.progress(f"installing {requirement}")
        refused = await self._installs(requirement)
        if refused is not None:
            self.notes.append(f"the {kind} {requirement} could not be installed: {refused}")

    async def _installs(self, *requirements: str) -> str | None:
        result = await self._pip(("install", "--prefer-binary", "--no-warn-script-location", *requirements))
        return None if result.exit_code == 0 else _reason(result)

    async def _pip(
        self, arguments: Sequence[str], *, writable: Sequence[Path] = (), env: dict[str, str] | None = None
    ) -> Result:
        config = self.scratch / "pip.conf"
        common = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--no-color")
        wheels = self.scratch / "wheels"
        shown = (wheels,) if wheels.exists() else ()
        command = Command(
            argv=(str(self.venv / "bin" / "python"), "-m", "pip", *common, *arguments),
            cwd=self.venv,
            writable=(self.venv, *writable),
            readable=(*system_python_folders(), config, *shown, *self.settings.readable),
            env={**self.settings.env, "PIP_CONFIG_FILE": str(config), **(env or {})},
            network=True,
        )
        result = await self.sandbox.run(command, _STEP)
        await asyncio.to_thread(_append, self.root / "build.log", command.argv, result)
        return result

    async def _overlay(self, wheel: Path | None) -> tuple[str, ...]:
        if wheel is None:
            return ()
        tracked = await self.repository.entries(self.commit)
        return await asyncio.to_thread(_keep_overlay, wheel, self.plan.layout, set(tracked), self.root)


def _place(data: Path, plan: Plan) -> Path:
    root = data.absolute() / "environments" / plan.sha[:24]
    root.parent.mkdir(parents=True, exist_ok=True)
    return root


def _keep_overlay(wheel: Path, layout: Layout, tracked: set[str], root: Path) -> tuple[str, ...]:
    found = generated_files(wheel, layout, tracked)
    (root / "overlay").mkdir()
    for path, content in found.items():
        write_inside(root / "overlay", path, content)
    return tuple(sorted(found))


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    handle = await asyncio.to_thread(os.open, path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(handle):  # noqa: ASYNC110 -- the holder may be another process: no event tells
            await asyncio.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reason(result: Result) -> str:
    if result.ended is not Ended.EXITED:
        return f"it was stopped: {result.ended}"
    lines = [line.strip() for line in result.stderr.decode("utf-8", "replace").splitlines()]
    errors = [line for line in lines if line.startswith("ERROR") or "Error:" in line]
    return (errors or [line for line in lines if line] or [f"exit {result.exit_code}"])[-1]


def _append(log: Path, argv: Sequence[str], result: Result) -> None:
    with log.open("ab") as opened:
        opened.write(f"$ {' '.join(argv)}\n".encode() + result.stdout + result.stderr)
        opened.write(f"{result.ended} {result.exit_code} after {result.seconds:.1f} s\n\n".encode())


def _distributions(venv: Path) -> tuple[str, ...]:
    found = venv.glob("lib/python*/site-packages/*.dist-info")
    return tuple(sorted({path.name.split("-")[0].lower().replace("_", "-") for path in found}))


def _take_back(folder: Path) -> None:
    """Own the folder again, so that no later run as the sandbox's uid could alter it, wherever it got in."""
    if os.geteuid() != 0:
        return
    for place, folders, files in os.walk(folder, followlinks=False):
        for name in (".", *folders, *files):
            os.lchown(Path(place) / name, 0, 0)


async def _text(repository: Repository, commit: str, path: str) -> str:
    return (await repository.read_file(commit, path)).decode("utf-8", "replace")


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
