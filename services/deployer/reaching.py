"""Reaches the target itself: reads where its release branch stands, and moves that branch.

Rules
1. What keeps the target from being read or written is a `TargetProblem`: a person's to mend, so a refusal
   that says what is wrong, and never tried again by itself.
2. A lack of our own (a full disk, too many open files) is none: it is raised as it is, and tried again.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from services.changes.release import REF, branch_tip
from services.runtime.room import is_full, shortage
from services.runtime.workbench import Workbench
from services.workspace.git.command import GitError
from services.workspace.git.repository import Repository
from services.workspace.target import TargetProblem

_OURS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


async def standing_at(bench: Workbench, target: str, path: str) -> str | None:
    """Return where the release branch of the target at `path` stands; None when there is none yet."""
    with _theirs(bench, path, "read"):
        tip = await branch_tip(bench.workspace, target, path)
        if tip is None:  # what is no repository has no branch either
            await Repository(bench.workspace.path(path)).git("rev-parse", "--git-dir")
        return tip


async def move(bench: Workbench, target: str, path: str, commit: str, expected: str | None) -> None:
    """Move the release branch from `expected` (None: there is none) to `commit`. Raises `RefMoved` too."""
    there = bench.workspace.path(path)
    with _theirs(bench, path, "written"):
        await bench.workspace.repository(target).push_ref(there, commit, REF, expected)


async def put_back(bench: Workbench, target: str, path: str, commit: str, expected: str | None) -> None:
    """Move the release branch from `commit` back to `expected`, or remove it where there was none."""
    if expected is not None:
        await move(bench, target, path, expected, commit)
        return
    with _theirs(bench, path, "written"):
        await bench.workspace.repository(target).delete_ref(bench.workspace.path(path), REF, commit)


@contextmanager
def _theirs(bench: Workbench, path: str, done: str) -> Iterator[None]:
    try:
        yield
    except (GitError, OSError) as problem:
        full_here = is_full(problem) and shortage([bench.workspace.root]) is not None
        if full_here or (isinstance(problem, OSError) and problem.errno in _OURS):
            raise
        said = problem.stderr if isinstance(problem, GitError) else str(problem)
        raise TargetProblem(
            f"{bench.workspace.path(path)} cannot be {done} ({said}): mend that, then retry"
        ) from problem
