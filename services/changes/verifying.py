"""Verifies a commit nobody has proven yet: is its suite no worse than before any change?"""

from events.target import TARGET, Target
from schemas.suite import SuiteReport
from services.gates.suite import suite_no_worse
from services.runtime.log import Log
from services.runtime.workbench import Workbench


async def harm_of(bench: Workbench, target_id: str, scan: str, commit: str) -> str:
    """Run the suite on `commit`; return what got worse, empty when nothing did.

    Where the target has no usable suite there is nothing to get worse: a person approved knowing that.
    """
    target = await bench.book.state(TARGET, target_id)
    base = target.scans[scan].requested.base
    baseline = target.baseline_at(base)
    if baseline is None or not baseline.usable:
        return ""
    before = await baseline_report(bench.book, target, base)
    repository = bench.workspace.repository(target_id)
    after = await bench.prover.run(repository, f"{scan}-verify", base, commit, baseline_ms=baseline.suite_ms)
    verdict = suite_no_worse(before, frozenset(baseline.flaky), after)
    return "" if verdict.passed else verdict.evidence


async def baseline_report(book: Log, target: Target, base: str) -> SuiteReport:
    """Return the suite report of the baseline at `base`; raises KeyError when there is none."""
    baseline = target.baseline_at(base)
    if baseline is None:
        raise KeyError(f"no baseline at {base}")
    return SuiteReport.model_validate_json(await book.fetch(baseline.report))
