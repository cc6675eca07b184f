"""What a batch is judged on: its baseline, its suite runs, its trees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from events.batch import BATCH, Batch, Formed, Tested
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.target import TARGET, BaselineRecorded, Scan
from schemas.improvement import Declared, GateResult
from schemas.suite import SuiteReport
from services.changes.stacking import Made, Stack, Stacked
from services.changes.verifying import baseline_report
from services.engines.deterministic.finding import Scan as Findings
from services.gates.behaviours import Showing
from services.gates.suite import suite_no_worse, worse_tests
from services.qa.migrating import Migration
from services.qa.standalone import Standalone
from services.runtime.workbench import Workbench
from services.workspace.git.repository import Repository

JSON = "application/json"
NAMED_TESTS = 5
CHEAP_MS = 5000


@dataclass(frozen=True)
class Material:
    """One batch with everything its verdicts rest on. `before` is the suite report of the baseline.

    What was made, judged and found is kept by commit: a search comes back to the same ones.
    """

    bench: Workbench
    id: str
    formed: Formed
    scan: Scan
    baseline: BaselineRecorded
    before: SuiteReport
    made: Made = field(default_factory=dict)
    alone: dict[str, Standalone] = field(default_factory=dict)
    found: dict[str, Findings] = field(default_factory=dict)
    showings: dict[str, Showing] = field(default_factory=dict)
    migrations: dict[str, GateResult] = field(default_factory=dict)

    @property
    def repository(self) -> Repository:
        """Our clone of the target."""
        return self.bench.workspace.repository(self.formed.target)

    @property
    def coverage_is_cheap(self) -> bool:
        """Whether the suite may as well run under coverage each time its coverage could be asked for."""
        return self.baseline.coverage_ms <= 2 * self.baseline.suite_ms + CHEAP_MS

    @property
    def packages(self) -> tuple[str, ...]:
        """The import packages, as the scan found them."""
        return self.scan.done.packages if self.scan.done else ()

    async def batch(self) -> Batch:
        """Return the batch as it stands now."""
        return await self.bench.book.state(BATCH, self.id)

    async def declared(self, improvement: str) -> Declared:
        """Return what the plan of a change said beforehand that it takes away."""
        design = (await self.bench.book.state(IMPROVEMENT, improvement)).design
        return design.declared if design else Declared()

    async def migrated(self, one: Stacked) -> GateResult:
        """Judge how a change migrates the database; it is tried once."""
        if one.commit not in self.migrations:
            change = Migration(
                repository=self.repository,
                base=self.formed.base,
                parent=one.parent,
                commit=one.commit,
                files=one.applied.changed_paths,
                irreversible=(await self.declared(one.layer.improvement)).irreversible,
                worktree=f"{self.id}-migrations",
            )
            self.migrations[one.commit] = await change.judged(self.bench.prover)
        return self.migrations[one.commit]

    @asynccontextmanager
    async def stack(self) -> AsyncIterator[Stack]:
        """Give what builds stacks of this batch; a commit once made is not made again."""
        async with self.worktree("stack") as tree:
            yield Stack(self.repository, tree, self.made)

    @asynccontextmanager
    async def worktree(self, name: str, commit: str = "") -> AsyncIterator[Path]:
        """Give a work tree of this batch alone, at `commit` or at its base."""
        at = commit or self.formed.base
        async with self.bench.worktree(self.formed.target, f"{self.id}-{name}", at) as tree:
            yield tree

    async def is_green(
        self, stacked: tuple[Stacked, ...], token: int, cause: Cause, *, coverage: bool = True
    ) -> bool:
        """Say whether the suite is no worse on the tip of a stack; it is run unless that tree was run before.

        Without a usable baseline nothing is run and all is green: the risk class says what that means.
        """
        if not self.baseline.usable:
            return True
        tip = stacked[-1]
        run = await self.tested(
            tip.commit, tip.tree, len(stacked), token, cause, coverage=self.baseline.coverage and coverage
        )
        return run.passed

    async def tested(
        self,
        commit: str,
        tree: str,
        members: int,
        token: int,
        cause: Cause,
        *,
        coverage: bool = False,
        original: tuple[str, ...] = (),
    ) -> Tested:
        """Return the run of the suite on `tree` (with `original` test files as before), made when missing.

        A run without coverage is made again when `coverage` is asked for: its report takes the other's place.
        """
        known = (await self.batch()).runs.get((tree, bool(original)))
        if known and (known.coverage or not coverage):
            return known
        report = await self.bench.prover.run(
            self.repository,
            f"{self.id}-suite",
            self.formed.base,
            commit,
            coverage=coverage,
            baseline_ms=max(self.baseline.suite_ms, self.baseline.coverage_ms if coverage else 0),
            original=original,
        )
        verdict = suite_no_worse(self.before, self.baseline.flaky, report)
        name = f"{self.id}-{tree[:12]}{'-original' if original else ''}.suite.json"
        fact = Tested(
            claim=token,
            tree=tree,
            original_tests=bool(original),
            coverage=coverage,
            passed=verdict.passed,
            reason=verdict.evidence,
            members=members,
            suite_ms=report.duration_ms,
            report=await self.bench.book.keep(report.model_dump_json(), name, JSON),
        )
        await self.bench.book.record(BATCH, self.id, fact, cause=cause)
        return fact

    async def report(self, tree: str, *, original: bool = False) -> SuiteReport | None:
        """Return the recorded suite report of a tree; None when it was not run."""
        run = (await self.batch()).runs.get((tree, original))
        if run is None:
            return None
        return SuiteReport.model_validate_json(await self.bench.book.fetch(run.report))


async def material_of(bench: Workbench, batch_id: str) -> Material:
    """Gather what a formed batch is judged on."""
    formed = (await bench.book.state(BATCH, batch_id)).formed
    assert formed is not None  # noqa: S101 -- the caller formed it
    target = await bench.book.state(TARGET, formed.target)
    scan = target.scans[formed.scan]
    baseline = target.baseline_at(scan.requested.base)
    assert baseline is not None  # noqa: S101 -- nothing is designed, so nothing implemented, before it
    before = await baseline_report(bench.book, target, scan.requested.base)
    return Material(bench, batch_id, formed, scan, baseline, before)


def broken(material: Material, report: SuiteReport) -> str:
    """Return which tests a red run broke, in a few words."""
    worse = list(worse_tests(material.before, material.baseline.flaky, report))
    if not worse:
        return f"the suite ended {report.end.value.replace('_', ' ')}"
    more = f" and {len(worse) - NAMED_TESTS} more" if len(worse) > NAMED_TESTS else ""
    return f"breaks {', '.join(worse[:NAMED_TESTS])}{more}"
