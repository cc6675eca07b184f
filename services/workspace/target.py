"""Looks at the folder a person names and says which repository, commit and branch it stands for.

The folder is only read. What cannot be improved is a `TargetProblem` that says what to do; what is
merely worth knowing (uncommitted changes, submodules, a detached HEAD) is a note.
"""

from dataclasses import dataclass
from pathlib import Path

from services.workspace.git.command import GitCommand, GitError, without_filters
from services.workspace.git.completeness import cuts, damaged, refuse_incomplete
from services.workspace.target_problem import TargetProblem

__all__ = ["TargetInspection", "TargetProblem", "find_root", "git_dir_of", "inspect_target"]

_PARTIAL = ("a partial clone without all of its history: files at HEAD are copied, older ones are not",)


@dataclass(frozen=True)
class TargetInspection:
    """A usable target: the repository's root, the commit work starts from, and notes for a person.

    `branch` is the short name of the checked-out branch, None when HEAD is detached.
    """

    root: Path
    head: str
    branch: str | None
    dirty: bool
    notes: tuple[str, ...]


def git_dir_of(root: Path) -> Path:
    """Return the git folder of the repository at `root`: bare, ordinary, or linked by a `.git` file."""
    marker = root / ".git"
    if marker.is_dir():
        return marker
    if marker.is_file():
        return (root / marker.read_text().removeprefix("gitdir:").strip()).resolve()
    return root


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def find_root(path: Path) -> Path:
    """Return the root of the work tree `path` lies in; raise `TargetProblem` when there is none."""
    if not path.exists():
        raise TargetProblem(f"{path} does not exist: name a folder that holds a git repository")
    start = path.resolve()
    for folder in (start, *start.parents):
        if _is_git_dir(folder):
            raise TargetProblem(f"{folder} is a bare repository: name a clone that has its files checked out")
        if (folder / ".git").exists():
            return folder
    raise TargetProblem(f"{path} is not a git repository: run `git init` there and commit, or name another")


async def inspect_target(path: Path) -> TargetInspection:
    """Find the repository `path` lies in and read its HEAD, branch and state."""
    root = find_root(path)
    git = await _open(root)
    try:
        return await _inspected(path, root, git)
    except GitError as refused:
        raise damaged(root, refused) from refused


async def _inspected(path: Path, root: Path, git: GitCommand) -> TargetInspection:
    named = await git("rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1, 128))
    if named.exit_code:
        raise TargetProblem(f"{root} has no commits: commit its files first, work starts from a commit")
    head = await git("rev-parse", "--verify", "HEAD^{commit}")
    await refuse_incomplete(git, head.text, root)
    branch = await git("symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1))
    changed = await git("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames")
    tracked = await git("ls-tree", "-r", "-z", "HEAD")
    name = branch.text or None
    notes = (
        *_place_notes(path, root),
        *_state_notes(head.text, name, len(changed.records)),
        *(_PARTIAL if await cuts(git, head.text) else ()),
        *_content_notes(tracked.records),
    )
    return TargetInspection(root, head.text, name, bool(changed.records), notes)


async def _open(root: Path) -> GitCommand:
    git_dir = git_dir_of(root)
    if not _is_git_dir(git_dir) and not (git_dir / "commondir").is_file():
        raise TargetProblem(f"{root} has a .git that is not a repository: repair it or name another folder")
    git = GitCommand(git_dir, work_tree=root)
    try:
        form = (await git("rev-parse", "--show-object-format")).text
        if form != "sha1":
            raise TargetProblem(
                f"{root} uses {form.upper().replace('SHA', 'SHA-')} objects, which are not supported here:"
                " name a repository that uses SHA-1"
            )
        return await without_filters(git)
    except GitError as refused:
        raise TargetProblem(f"git cannot read {root}: {refused.stderr}") from refused


def _place_notes(path: Path, root: Path) -> tuple[str, ...]:
    if path.resolve() == root:
        return ()
    return (f"{path} lies inside the repository {root}: the whole repository is the target",)


def _state_notes(head: str, branch: str | None, changed: int) -> tuple[str, ...]:
    detached = (f"HEAD is detached at {head[:12]}: that commit is used",) if branch is None else ()
    files = "1 file has" if changed == 1 else f"{changed} files have"
    dirty = (f"{files} uncommitted changes: the commit at HEAD is used, they are left alone",)
    return (*detached, *(dirty if changed else ()))


def _content_notes(entries: tuple[str, ...]) -> tuple[str, ...]:
    modules = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    if not modules:
        return ()
    return (f"submodules are left alone and stay empty in work copies: {', '.join(modules)}",)
