"""A bench for hostile changes: a target with its environment, candidates as commits, gates and suite."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.improvement import GateResult
from schemas.suite import SuiteEnd, SuiteReport
from services.engines.deterministic.source import text_of
from services.qa.placing import places_of
from services.qa.standalone import judged_alone
from services.sandbox.port import MIB, Limits, Sandbox
from services.workspace.checkout import Workspace
from services.workspace.environments.environment import Environment, build_environment
from services.workspace.git.repository import Repository
from services.workspace.suites.suite import run_suite
from tests.acceptance.targets import commit, git, repository, write

LIMITS = Limits(wall_seconds=60, memory_bytes=1024 * MIB)
NOT_RUN = SuiteReport(end=SuiteEnd.FINISHED, exit_code=0, tests={}, duration_ms=0)


@dataclass(frozen=True)
class Bench:
    """A target with one commit, what its suite said, and what it takes to run it again."""

    root: Path
    target: Path
    sandbox: Sandbox
    environment: Environment
    base: str
    before: SuiteReport

    async def candidate(self, files: Mapping[str, str | None]) -> str:
        """Commit a change of the target on a branch of its own."""
        git(self.target, "checkout", "--quiet", "--force", "-B", "candidate", self.base)
        git(self.target, "clean", "--quiet", "-d", "--force", "-x")
        write(self.target, {name: text for name, text in files.items() if text is not None})
        for name in (name for name, text in files.items() if text is None):
            (self.target / name).unlink()
        git(self.target, "add", "--all", "--force")
        commit(self.target, "A candidate")
        return git(self.target, "rev-parse", "HEAD")

    async def carrying(self, made: str, staged: str) -> str:
        """Commit what a shell does in the checkout on a branch of its own; `staged` is done before it is."""
        git(self.target, "checkout", "--quiet", "--force", "-B", "candidate", self.base)
        git(self.target, "clean", "--quiet", "-d", "--force", "-x")
        self._shell(made)
        git(self.target, "add", "--all", "--force")
        self._shell(staged)
        git(self.target, "commit", "--quiet", "--message", "A candidate")
        return git(self.target, "rev-parse", "HEAD")

    def _shell(self, script: str) -> None:
        subprocess.run(["sh", "-ec", script], cwd=self.target, check=True)

    async def judged(self, candidate: str) -> tuple[GateResult, ...]:
        """Ask the gates that judge a change by itself, as QA does."""
        clone = Repository(self.target)
        paths = await clone.changed_paths(self.base, candidate)
        names = [f"{at}:{path}" for at in (self.base, candidate) for path in paths]
        texts = {name: text_of(content) for name, content in (await clone.read_blobs(names)).items()}
        before, after = ({path: texts.get(f"{at}:{path}") for path in paths} for at in (self.base, candidate))
        places = await places_of(clone, self.base, candidate)
        return judged_alone(await clone.diff(self.base, candidate), before, after, places).gates

    async def suite(self, commit: str, limits: Limits = LIMITS) -> SuiteReport:
        """Run the suite of a commit."""
        async with Workspace(self.root).worktree(Repository(self.target), commit[:12], commit) as tree:
            return await run_suite(self.sandbox, self.environment, tree, limits)


async def built(root: Path, files: Mapping[str, str], sandbox: Sandbox) -> Bench:
    """Make the tiny project with `files` on top of it, build its environment, and run its suite once."""
    target = repository(root / "target", files)
    base = git(target, "rev-parse", "HEAD")
    environment = await build_environment(sandbox, Repository(target), base, root)
    bench = Bench(root, target, sandbox, environment, base, NOT_RUN)
    return replace(bench, before=await bench.suite(base))
