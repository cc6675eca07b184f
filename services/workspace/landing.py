"""Looks, before any work is done, whether a branch of a target could be moved at the end, and what is on it.

The target is only read; that it can be written is told from permissions.
"""

import os
import stat
from pathlib import Path

from services.workspace.git.command import GitCommand
from services.workspace.git.repository import Repository
from services.workspace.target_problem import TargetProblem

_HEADS = "refs/heads/"
_OURS = ("Improvement-Id: ", "Rolls-Back: ")
_MOST_COMMITS = 500


async def refuse_unmovable(root: Path, ref: str) -> None:
    """Raise `BranchCheckedOut` or `TargetProblem` when `ref` could not be moved in the target at `root`."""
    there = Repository(root)
    await there.refuse_move(ref, await there.ref(ref))
    listed = await there.git("for-each-ref", "--format=%(refname)", _HEADS)
    in_the_way = [one for one in listed.text.splitlines() if _excludes(one, ref)]
    if in_the_way:
        name, wanted = in_the_way[0].removeprefix(_HEADS), ref.removeprefix(_HEADS)
        raise TargetProblem(
            f"the branch {name} in {root} leaves no room for one called {wanted}: rename it"
            f" (git branch -m {name} OTHER), then retry"
        )
    common = there.git.git_dir / (await there.git("rev-parse", "--git-common-dir")).text
    unwritable = [
        one for one in (common / "objects", common / "refs" / "heads") if not _writable(one, there.git)
    ]
    if unwritable:
        raise TargetProblem(f"{unwritable[0]} cannot be written: mend its permissions, then retry")


async def foreign_remarks(root: Path, ref: str, base: str) -> tuple[str, ...]:
    """Tell a person of commits on `ref`, beyond `base`, that no improvement made.

    Raises `TargetProblem` when they would be lost: the branch does not hold `base`, so it is begun anew.
    """
    there = Repository(root)
    if await there.ref(ref) is None:
        return ()
    commits = await there.log(f"{base}..{ref}", limit=_MOST_COMMITS)
    foreign = [one for one in commits if not any(line.startswith(_OURS) for line in one.message.splitlines())]
    if not foreign:
        return ()
    branch, count = ref.removeprefix(_HEADS), "1 commit" if len(foreign) == 1 else f"{len(foreign)} commits"
    subject = os.fsencode(foreign[0].message.partition("\n")[0]).decode("utf-8", "replace")
    told = f"{count} that no improvement made (the newest is {foreign[0].commit[:12]}, {subject})"
    held = await there.git("merge-base", "--is-ancestor", base, ref, accept=(0, 1))
    if held.exit_code:
        raise TargetProblem(
            f"the branch {branch} in {root} has {told}, and does not hold {base[:12]}, the commit to improve:"
            f" they would be lost from it; rename it (git branch -m {branch} OTHER), then retry"
        )
    return (f"the branch {branch} has {told}: they stay, and what lands is put on top of them",)


def _excludes(existing: str, wanted: str) -> bool:
    """Say whether two refs cannot exist together: one would be a folder of the other."""
    return wanted.startswith(f"{existing}/") or existing.startswith(f"{wanted}/")


def _writable(folder: Path, git: GitCommand) -> bool:
    if git.as_owner().owner is not None:  # it is the owner who writes then
        return bool(folder.stat().st_mode & stat.S_IWUSR) and os.access(folder, os.F_OK)
    return os.access(folder, os.W_OK | os.X_OK)
