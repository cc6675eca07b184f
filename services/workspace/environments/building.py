"""Puts one environment together, step by step, in the sandbox."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.masking.mask import masked
from services.sandbox.port import Command, Ended, Limits, Result, Sandbox
from services.workspace.environments.dependencies import ALWAYS, metadata_declares
from services.workspace.environments.plan import Plan
from services.workspace.environments.wheel import generated_files, read_metadata
from services.workspace.files import remove, write_inside
from services.workspace.git.repository import Repository
from services.workspace.layout import Layout
from services.workspace.links import links_outside
from services.workspace.sources.index import IndexSettings, base_python, index_settings, system_python_folders

Progress = Callable[[str], None]
_STEP = Limits(wall_seconds=1200.0, processes=1024)


class EnvironmentProblem(Exception):  # noqa: N818 -- names whose problem it is
    """No environment could be built: even pytest could not be installed. The message carries pip's reason."""


@dataclass(frozen=True)
class Built:
    """What a build made beside the virtual environment: generated files by tree path, and notes."""

    overlay: tuple[str, ...]
    notes: tuple[str, ...]


class Build:
    """One build in progress, below `root`, which is empty when it starts and its own."""

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

    async def run(self) -> Built:
        """Build; raises `EnvironmentProblem` when not even pytest can be installed."""
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
        return Built(overlay, tuple(self.notes))

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
        for link in await asyncio.to_thread(links_outside, tree):  # a back-end would search the whole machine
            await asyncio.to_thread(remove, tree / link)
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


def _keep_overlay(wheel: Path, layout: Layout, tracked: set[str], root: Path) -> tuple[str, ...]:
    found = generated_files(wheel, layout, tracked)
    (root / "overlay").mkdir()
    for path, content in found.items():
        write_inside(root / "overlay", path, content)
    return tuple(sorted(found))


def _reason(result: Result) -> str:
    if result.ended is not Ended.EXITED:
        return f"it was stopped: {result.ended}"
    lines = [line.strip() for line in result.stderr.decode("utf-8", "replace").splitlines()]
    errors = [line for line in lines if line.startswith("ERROR") or "Error:" in line]
    return masked((errors or [line for line in lines if line] or [f"exit {result.exit_code}"])[-1])


def _append(log: Path, argv: Sequence[str], result: Result) -> None:
    with log.open("ab") as opened:
        opened.write(f"$ {' '.join(argv)}\n".encode() + result.stdout + result.stderr)
        opened.write(f"{result.ended} {result.exit_code} after {result.seconds:.1f} s\n\n".encode())


def _take_back(folder: Path) -> None:
    """Own the folder again, so that no later run as the sandbox's uid could alter it, wherever it got in."""
    if os.geteuid() != 0:
        return
    for place, folders, files in os.walk(folder, followlinks=False):
        for name in (".", *folders, *files):
            os.lchown(Path(place) / name, 0, 0)
