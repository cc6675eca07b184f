"""Runs a target's suite on a commit, in the environment of its base and inside the sandbox."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.suite import SuiteReport
from services.sandbox.port import Limits, Sandbox
from services.workspace.checkout import Workspace
from services.workspace.environments.environment import Environment, Progress, build_environment
from services.workspace.git.mixing import mixed
from services.workspace.git.repository import Repository
from services.workspace.suites.suite import run_suite

PATIENCE = 6  # times the baseline's duration: what takes longer hangs
LEAST_SECONDS = 60.0


@dataclass(frozen=True)
class Prover:
    """What is needed to run suites; one run at a time in each worktree."""

    workspace: Workspace
    sandbox: Sandbox
    limits: Limits

    async def environment(
        self, repository: Repository, base: str, progress: Progress = lambda _: None
    ) -> Environment:
        """Return the environment of `base`, built when it is missing. Raises `EnvironmentProblem`."""
        return await build_environment(self.sandbox, repository, base, self.workspace.root, progress=progress)

    async def run(
        self,
        repository: Repository,
        name: str,
        base: str,
        commit: str,
        *,
        coverage: bool = False,
        baseline_ms: int = 0,
        original: Sequence[str] = (),
        only: Sequence[str] | None = None,
    ) -> SuiteReport:
        """Run the suite on `commit` in the worktree `name`; `original` paths stand there as at `base`.

        `only` names test ids as reports give them, or files, where not all are run.
        `baseline_ms` shortens the time limit to a multiple of what the suite took before any change.
        """
        environment = await self.environment(repository, base)
        limits = self.limits
        if baseline_ms:
            patience = max(LEAST_SECONDS, PATIENCE * baseline_ms / 1000)
            limits = replace(limits, wall_seconds=min(limits.wall_seconds, patience))
        if original:
            commit = await mixed(repository, commit, base, original)
        async with self.workspace.worktree(repository, name, commit) as tree:
            self.sandbox.hand_over(tree)
            return await run_suite(self.sandbox, environment, tree, limits, coverage=coverage, only=only)
