"""The release branch of a target: its name, where it stands, and what it may be built on."""

from dataclasses import dataclass

from services.workspace.checkout import Workspace
from services.workspace.git.repository import Repository
from services.workspace.target import TargetProblem

BRANCH = "aps/improved"
REF = f"refs/heads/{BRANCH}"


async def branch_tip(workspace: Workspace, target: str, path: str) -> str | None:
    """Return the commit of the release branch of the target at `path`, known to our clone; None without."""
    repository, source = workspace.repository(target), workspace.path(path)
    if not source.is_dir():
        raise TargetProblem(f"{source} is gone: put the repository back where it was, then retry")
    tip = await Repository(source).ref(REF)
    if tip is not None:
        await repository.clone_from(source, tip)
    return tip


async def start_of(workspace: Workspace, target: str, path: str, base: str) -> str:
    """Return where new changes for `base` begin: the release branch where it contains `base`, else `base`."""
    tip = await branch_tip(workspace, target, path)
    if tip is not None and await contains(workspace.repository(target), tip, base):
        return tip
    return base


async def contains(repository: Repository, tip: str, commit: str) -> bool:
    """Whether `commit` is `tip` or one of its ancestors."""
    found = await repository.git("merge-base", "--is-ancestor", commit, tip, accept=(0, 1))
    return found.exit_code == 0


@dataclass(frozen=True)
class History:
    """What commits say they did: improvements that stand, oldest first, and those taken back, by commit."""

    standing: dict[str, str]
    taken_back: dict[str, str]


async def history(repository: Repository, base: str, tip: str) -> History:
    """Read the trailers of the commits between `base` and `tip`."""
    standing: dict[str, str] = {}
    taken_back: dict[str, str] = {}
    for info in reversed(await repository.log(f"{base}..{tip}")):
        for line in info.message.splitlines():
            name, _, value = line.partition(": ")
            if name == "Improvement-Id":
                standing[value] = info.commit
                taken_back.pop(value, None)
            elif name == "Rolls-Back":
                standing.pop(value, None)
                taken_back[value] = info.commit
    return History(standing, taken_back)
