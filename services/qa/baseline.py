"""Runs the suite before any change: twice, so that flaky tests are known, the second time with coverage."""

from dataclasses import dataclass

from events.envelope import Cause
from events.target import TARGET, BaselineRecorded, Scan
from schemas.suite import SuiteEnd, SuiteReport
from services.qa.policy import flaky, settled_report, unusable
from services.runtime.workbench import Workbench
from services.workspace.environment import EnvironmentProblem
from services.workspace.git import Repository
from services.workspace.proving import Prover

JSON = "application/json"
NOTHING_RAN = SuiteReport(end=SuiteEnd.NOTHING_COLLECTED, exit_code=-1, tests={}, duration_ms=0)


@dataclass(frozen=True)
class Measured:
    """What the runs before any change showed."""

    report: SuiteReport
    reason: str
    flaky: tuple[str, ...] = ()
    coverage: bool = False
    runs: int = 0
    environment: str = ""
    environment_ms: int = 0
    notes: tuple[str, ...] = ()


async def record_baseline(bench: Workbench, target: str, scan: Scan, cause: Cause) -> None:
    """Measure the baseline of a scan and record it, unless it is recorded already."""
    book, name = bench.book, scan.id
    async with bench.claim(TARGET, target, "baseline", cause) as held:
        repository = bench.workspace.repository(target)
        measured = await measure(bench.prover, repository, f"{name}-baseline", scan.requested.base)
        report = measured.report
        fact = BaselineRecorded(
            scan=name,
            claim=held.token,
            base=scan.requested.base,
            usable=not measured.reason,
            reason=measured.reason,
            passed=report.passed,
            failed=report.failed,
            flaky=measured.flaky,
            coverage=measured.coverage,
            suite_runs=measured.runs,
            suite_ms=report.duration_ms,
            environment=measured.environment,
            environment_ms=measured.environment_ms,
            report=await book.keep(report.model_dump_json(), f"{name}.baseline.json", JSON),
            notes=measured.notes,
        )
        await book.record(TARGET, target, fact, cause=cause)


async def measure(prover: Prover, repository: Repository, worktree: str, base: str) -> Measured:
    """Build the environment and run the suite: plainly, then with coverage; plainly again if these differ."""
    try:
        environment = await prover.environment(repository, base)
    except EnvironmentProblem as problem:
        return Measured(NOTHING_RAN, f"no environment could be built: {problem}")
    about = (environment.plan_sha, environment.build_ms, environment.notes)
    first = await prover.run(repository, worktree, base, base)
    if reason := unusable(first):
        return _measured(first, reason, (), False, 1, about)
    second = await prover.run(repository, worktree, base, base, coverage=True)
    if not flaky(first, second):
        return _measured(second, "", (), bool(second.covered), 2, about)
    third = await prover.run(repository, worktree, base, base)
    unsteady = flaky(first, third)
    measured = not flaky(third, second) or set(flaky(third, second)) <= set(unsteady)
    report = settled_report(first, third)
    if measured:
        report = report.model_copy(update={"covered": second.covered, "missing": second.missing})
    return _measured(report, "", unsteady, measured and bool(second.covered), 3, about)


def _measured(
    report: SuiteReport,
    reason: str,
    unsteady: tuple[str, ...],
    coverage: bool,
    runs: int,
    about: tuple[str, int, tuple[str, ...]],
) -> Measured:
    return Measured(report, reason, unsteady, coverage, runs, *about)
