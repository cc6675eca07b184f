"""Copies what work needs beside the log: clones with the refs of a moment, private copies of the targets.

Rules
1. A target is only read, and only for where its release branch stands when no deployment ever told.
2. A copy of a target has no remote and no link to anything outside: pushing leads nowhere else.
3. What can be made again (environments, downloads) is linked to save time; files there are never written to.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from services.changes.release import REF
from services.forking.moment import Then
from services.workspace.checkout import Workspace
from services.workspace.git.command import GitError, copy_objects
from services.workspace.git.repository import Repository

SHARED = ("environments", "downloads")
SETTINGS = ".env"
DETACHED = "base"


async def copy_target(
    origin: Workspace, fork: Workspace, target: str, then: Then, commits: Iterable[str]
) -> str:
    """Copy one target as it was; return why no work can be done on it in the fork, empty when it can."""
    ours = origin.repository(target)
    if not then.bases:
        return f"{target} was not scanned yet: ask for a scan in the original, and open a later moment"
    try:
        clone = fork.repository(target)
        for base in dict.fromkeys(then.bases):
            has = ours.path.is_dir() and await _existing(ours, [base])
            await clone.clone_from(ours.path if has else origin.path(then.path), base)
        if ours.path.is_dir():
            bases = await _existing(ours, then.bases)
            await copy_objects(ours.git, clone.git, await _existing(ours, commits), bases)
        tip = then.tip if then.is_known else await _standing(origin, then.path)
        if tip and not await _existing(clone, [tip]):
            await clone.clone_from(ours.path if then.is_known else origin.path(then.path), tip)
            await clone.set_ref("refs/heads/base", then.bases[-1])
        await _make(clone, fork.path(then.path), then, tip)
    except (GitError, OSError) as problem:
        return f"{target} cannot be copied ({problem}): no work on it can go on in the fork"
    return ""


async def _standing(origin: Workspace, path: str) -> str | None:
    """Return where the release branch stands now, None where there is none, or no target any more."""
    place = origin.path(path)
    return await Repository(place).ref(REF) if place.is_dir() else None


async def _existing(repository: Repository, names: Iterable[str]) -> list[str]:
    """Return which of the names are commits of the repository."""
    asked = "".join(f"{name}\n" for name in sorted(set(names))).encode()
    told = await repository.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
    return [line.split()[0] for line in told.text.splitlines() if line.endswith(" commit")]


async def _make(clone: Repository, place: Path, then: Then, tip: str | None) -> None:
    """Make what stands for the target: its branch checked out, the release branch beside it."""
    copy = Repository(place)
    await copy.initialise(bare=False)
    base = then.bases[-1]
    await copy_objects(clone.git, copy.git, [base, *([tip] if tip else [])], [])
    if (clone.path / "shallow").is_file():
        await asyncio.to_thread(shutil.copyfile, clone.path / "shallow", copy.git.git_dir / "shallow")
    branch = f"refs/heads/{then.branch or DETACHED}"
    if branch != REF:
        await copy.set_ref(branch, base)
        await copy.git("symbolic-ref", "HEAD", branch)
    else:
        await copy.git("update-ref", "--no-deref", "HEAD", base)
    if tip:
        await copy.set_ref(REF, tip)
    await replace(copy.git, work_tree=place)("read-tree", "--reset", "-u", base)


def share(origin: Path, fork: Path) -> tuple[str, ...]:
    """Link what can be made again, copy the settings file; return what was left out, and why."""
    left = tuple(told for name in SHARED if (told := _linked(origin / name, fork / name)))
    if (origin / SETTINGS).is_file():
        shutil.copy2(origin / SETTINGS, fork / SETTINGS)
    return left


def _linked(source: Path, copy: Path) -> str:
    if not source.is_dir():
        return ""
    try:
        shutil.copytree(
            source,
            copy,
            symlinks=True,
            copy_function=_link,
            ignore=shutil.ignore_patterns("*.lock"),
            dirs_exist_ok=True,
        )
    except (OSError, shutil.Error):
        shutil.rmtree(copy)
        return f"the {source.name} could not be shared: they are made again when they are needed"
    return ""


def _link(source: str, copy: str) -> None:
    try:
        os.link(source, copy, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, copy, follow_symlinks=False)
