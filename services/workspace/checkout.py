"""Lays out the data folder: clones, work trees, environments and sources of every target.

Rules:
1. A work tree is at exactly the commit asked for when it is entered, with the overlay and nothing else in
   it, whatever an earlier run or a crash left there.
2. One holder at a time: a work tree in use is refused to a second asker of this or another process, and
   freed by the end of the process that held it.
3. Generated files are ignored by git in every work tree of the clone, so no change can carry one.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.sandbox.port import Sandbox
from services.workspace.environments.environment import Environment
from services.workspace.fork import copy_of, fork_of
from services.workspace.git.command import GitError
from services.workspace.git.nested import nested
from services.workspace.git.repository import Repository
from services.workspace.locks import give_up, try_lock
from services.workspace.target import TargetProblem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_HEADING = "# files a build generates, shown in work trees and never committed\n"


class WorktreeBusy(Exception):  # noqa: N818 -- says what it is
    """Somebody else works in the work tree of that name."""


@dataclass(frozen=True)
class Workspace:
    """The folders below one data folder. Names are file names: letters, digits, dot, dash, underscore."""

    root: Path

    def repository(self, target_id: str) -> Repository:
        """Return our clone of a target, which `clone_from` makes or brings up to date."""
        return Repository(self.root / "repositories" / f"{_checked(target_id)}.git")

    async def clone(self, target_id: str, recorded: str, commit: str) -> Repository:
        """Return our clone of the target at the path `recorded`; what it lacks of `commit` is copied.

        Raises `TargetProblem` when that is to be copied from a target that is gone, or lacks it.
        """
        repository = self.repository(target_id)
        if await repository.has(commit):
            return repository
        source = self.path(recorded)
        if not await asyncio.to_thread(source.is_dir):
            raise TargetProblem(f"{source} is gone: put the repository back where it was, then retry")
        if not await Repository(source).has(commit):
            raise TargetProblem(f"{source} has no commit {commit}: bring it back there, then retry")
        await repository.clone_from(source, commit)
        return repository

    def source(self, name: str) -> Path:
        """Return where the repository made from a source distribution stands."""
        return self.root / "sources" / _checked(name)

    def path(self, recorded: str) -> Path:
        """Return the place a recorded path names: as it is when absolute, else below the data folder.

        In a fork it is always a copy below the data folder.
        """
        return copy_of(self.root, recorded) if fork_of(self.root) else self.root / recorded

    @property
    def downloads(self) -> Path:
        """Return the folder downloaded source distributions are kept in."""
        return self.root / "downloads"

    @asynccontextmanager
    async def worktree(
        self,
        repository: Repository,
        name: str,
        commit: str,
        *,
        sandbox: Sandbox | None = None,
        environment: Environment | None = None,
        keep: bool = False,
    ) -> AsyncIterator[Path]:
        """Give a clean work tree of `repository` at `commit`, handed over to `sandbox` when it is named.

        Made when missing, brought back to the commit when present; removed on leaving unless `keep`.
        Raises `WorktreeBusy`.
        """
        folder = self.root / "worktrees" / f"{repository.path.stem}-{_checked(name)}"
        await asyncio.to_thread(folder.parent.mkdir, parents=True, exist_ok=True)
        handle = await asyncio.to_thread(_hold, folder)
        try:
            await self._ready(repository, folder, commit, environment)
            if sandbox is not None:
                await asyncio.to_thread(sandbox.hand_over, folder)
            yield folder
        finally:
            try:
                if not keep:
                    await repository.remove_worktree(folder)
            finally:
                await asyncio.to_thread(give_up, handle, _lock_of(folder))

    async def _ready(
        self, repository: Repository, folder: Path, commit: str, environment: Environment | None
    ) -> None:
        await bring_back(repository, folder, commit)
        if environment is not None:
            await asyncio.to_thread(_exclude, repository.git.git_dir, environment.overlay)
            await asyncio.to_thread(environment.apply_overlay, folder)


async def bring_back(repository: Repository, folder: Path, commit: str) -> None:
    """Bring a work tree to exactly the commit, whatever stands there; made anew where it must be."""
    if not await _brought_back(repository, folder, commit):
        await repository.add_worktree(folder, commit)


async def _brought_back(repository: Repository, folder: Path, commit: str) -> bool:
    if not await repository.has_worktree(folder):
        return False
    if await asyncio.to_thread(nested, folder):
        return False  # git cleans around a repository that was left in a submodule's folder
    try:
        await repository.reset_worktree(folder, commit)
    except GitError:
        return False  # what a crash or a hostile suite left is beyond cleaning: it is made anew
    return True


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a folder: use letters, digits, dot, dash, underscore")
    return name


def _hold(folder: Path) -> int:
    handle = try_lock(_lock_of(folder))
    if handle is None:
        raise WorktreeBusy(f"{folder.name} is in use: wait for its run to end or use another name")
    return handle


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _exclude(git_dir: Path, paths: tuple[str, ...]) -> None:
    listing = git_dir / "info" / "exclude"
    present = set(listing.read_text().splitlines()) if listing.exists() else set()
    wanted = {re.sub(r"([\\*?\[\]!# ])", r"\\\1", f"/{path}") for path in paths}
    if wanted <= present:
        return
    draft = listing.with_name(f"exclude.{os.getpid()}")
    draft.write_text(
        _HEADING + "".join(f"{line}\n" for line in sorted((present | wanted) - {_HEADING.strip()}))
    )
    draft.replace(listing)
