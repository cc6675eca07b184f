"""Runs the suite before any change: twice, so that flaky tests are known, the second time with coverage."""

from dataclasses import dataclass, replace

from events.envelope import Cause
from events.target import TARGET, BaselineRecorded, Scan
from schemas.suite import SuiteEnd, SuiteReport
from services.qa.policy import flaky, settled_report, unusable
from services.runtime.workbench import Workbench
from services.workspace.environments.environment import EnvironmentProblem
from services.workspace.git.repository import Repository
from services.workspace.suites.proving import Prover

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
    suite_ms: int = 0
    coverage_ms: int = 0
    environment: str = ""
    environment_ms: int = 0
    notes: tuple[str, ...] = ()


async def record_baseline(bench: Workbench, target: str, scan: Scan, cause: Cause) -> None:
    """Measure the baseline of a scan and record it, unless it is recorded already."""
    book, name = bench.book, scan.id
    async with bench.claim(TARGET, target, "baseline", cause) as held:
        repository = await bench.clone(target, scan.requested.base)
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
            suite_ms=measured.suite_ms,
            coverage_ms=measured.coverage_ms,
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
    first = await prover.run(repository, worktree, base, base)
    plain = Measured(
        report=first,
        reason=unusable(first),
        runs=1,
        suite_ms=first.duration_ms,
        environment=environment.plan_sha,
        environment_ms=environment.build_ms,
        notes=(*environment.notes, *first.notes),
    )
    if plain.reason:
        return plain
    second = await prover.run(repository, worktree, base, base, coverage=True)
    covered = replace(plain, report=second, runs=2, coverage_ms=second.duration_ms)
    if not flaky(first, second):
        return replace(covered, coverage=bool(second.covered))
    third = await prover.run(repository, worktree, base, base)
    unsteady = flaky(first, third)
    sound = set(flaky(third, second)) <= set(unsteady)
    report = settled_report(first, third)
    if sound:
        report = report.model_copy(update={"covered": second.covered, "missing": second.missing})
    return replace(covered, report=report, runs=3, flaky=unsteady, coverage=sound and bool(second.covered))
