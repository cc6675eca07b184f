"""What a target's release branch holds already, as the trailers of its commits say it.

A log that knows nothing of the branch, as that of a new data folder, would otherwise prove all of it again
and find nothing left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.changes.release import BRANCH, branch_tip, contains, history
from services.workspace.checkout import Workspace


@dataclass(frozen=True)
class Standing:
    """The commit on the release branch that fixed `findings` of a rule; empty where it does not say."""

    commit: str
    findings: str

    @property
    def why(self) -> str:
        """Why the rule is not proposed again."""
        fixed = f"fixed {self.findings} of its findings" if self.findings.isdecimal() else "fixed it"
        return f"already on {BRANCH}: commit {self.commit[:12]} {fixed}"


async def standing_at(workspace: Workspace, target: str, path: str, base: str) -> dict[str, Standing]:
    """Return by rule what stands on the release branch above `base`; nothing where it does not contain that.

    Raises `TargetProblem` when the target is gone.
    """
    tip = await branch_tip(workspace, target, path)
    repository = workspace.repository(target)
    if tip is None or not await contains(repository, tip, base):
        return {}
    stands = (await history(repository, base, tip)).standing.values()
    messages = {info.commit: info.message for info in await repository.log(f"{base}..{tip}")}
    return by_rule((commit, messages[commit]) for commit in stands)


def by_rule(commits: Iterable[tuple[str, str]]) -> dict[str, Standing]:
    """Read the trailers of commits, each with its message."""
    found: dict[str, Standing] = {}
    for commit, message in commits:
        trailers = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
        if rule := trailers.get("Rule"):
            found[rule] = Standing(commit, trailers.get("Findings", ""))
    return found


def going_on(standing: Mapping[str, Standing], not_again: Iterable[str]) -> tuple[str, ...]:
    """Return what a person is told of rules not proposed again because they stand; nothing without any."""
    count = len(standing.keys() & set(not_again))
    if not count:
        return ()
    what = "1 improvement is" if count == 1 else f"{count} improvements are"
    return (
        f"{what} already on {BRANCH}, and this data folder did not land them: to go on from there, "
        f"merge that branch (git merge {BRANCH}) and run again",
    )
