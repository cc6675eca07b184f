"""Looks whether a repository has every object that copying a commit needs, and how much of its history.

A partial clone lacks what it was told not to fetch. Where it has at least the files of the commit, the
history is cut there, as in a shallow clone; where not even those, or where objects were lost, a
`TargetProblem` names the cure. Nothing is ever fetched.
"""

from collections.abc import Sequence

from services.workspace.git.command import GitCommand, GitError
from services.workspace.target_problem import TargetProblem

_PROMISED = r"^(remote\..*\.promisor|extensions\.partialclone)$"


async def refuse_incomplete(git: GitCommand, commit: str, name: object) -> None:
    """Raise `TargetProblem` when files of `commit` are missing from the repository called `name`."""
    try:
        lacking = await _missing(git, "--no-walk", commit)
    except GitError as refused:
        raise damaged(name, refused) from refused
    if lacking and await _is_partial(git):
        raise TargetProblem(
            f"{name} is a partial clone without all files of {commit[:12]}: get them by"
            " `git fetch --refetch --no-filter` there, then retry"
        )
    if lacking:
        raise damaged(name, f"{lacking[0]} is missing")


async def cuts(git: GitCommand, commit: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the commits to copy without their parents: `commit`, when its history is not all there."""
    if not await _is_partial(git):
        return ()
    lacking = await _missing(git, commit, *(f"^{name}" for name in known))
    return (commit,) if lacking else ()


def damaged(name: object, reason: GitError | str) -> TargetProblem:
    """Return the refusal of a repository whose objects cannot all be read."""
    said = reason if isinstance(reason, str) else (reason.stderr.splitlines() or ["no reason given"])[-1]
    return TargetProblem(
        f"git cannot read all of {name} ({said}): `git fsck` there names what is damaged; mend it, then retry"
    )


async def _is_partial(git: GitCommand) -> bool:
    return (await git("config", "--get-regexp", _PROMISED, accept=(0, 1))).exit_code == 0


async def _missing(git: GitCommand, *revisions: str) -> tuple[str, ...]:
    listed = await git("rev-list", "--objects", "--missing=print", *revisions)
    return tuple(line[1:] for line in listed.text.splitlines() if line.startswith("?"))
