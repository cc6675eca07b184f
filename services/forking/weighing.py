"""Weighs what a cycle came to for one improvement: outcome, cost and time, from its own events."""

from datetime import datetime

from events.improvement import Improvement
from events.run import Completed, Metered
from events.target import TARGET, BaselineRecorded
from schemas.base import Frozen
from schemas.engine import Billing
from schemas.suite import SuiteReport
from services.asking.recorded_runs import PastRun
from services.cycle.outcome import reason_of
from services.forking.cycles import Cycle
from services.runtime.log import Log


class Weight(Frozen):
    """One side. `calls` of `engines` in words; `rules` counts the fixes that were made by rule.

    Tests are those of the suite on the proven change, None where nothing was proven, and before it those of
    the baseline. `cost_micros` are millionths of a US dollar, where `billing` says that there is a price.
    `engine_ms` is the time the calls took, `seconds` that of the whole cycle.
    """

    engines: tuple[str, ...]
    status: str
    reason: str
    attempts: int
    tests_before: int | None
    tests_passed: int | None
    tests_failed: int | None
    files: int
    lines_added: int
    lines_removed: int
    calls: int
    answered: int
    rules: int
    tokens_in: int
    tokens_out: int
    cost_micros: int
    billing: str
    engine_ms: int
    seconds: int


async def weighed(book: Log, cycle: Cycle, id: str) -> Weight:
    """Return what came of an improvement in a cycle."""
    state = cycle.improvement(id)
    runs = [run for run in cycle.runs() if run.requested.improvement == id]
    asked = [run for run in runs if run.in_words]
    ended = [run.ended for run in asked if isinstance(run.ended, Metered)]
    suite = await _suite(book, state)
    added, removed = await _lines(book, state)
    proof = state.verdict or state.change
    return Weight(
        engines=tuple(dict.fromkeys(run.requested.engine for run in asked)),
        status=state.status.value if state.status else "",
        reason=reason_of(state),
        attempts=state.change.attempt if state.change else 0,
        tests_before=_before(cycle),
        tests_passed=suite.passed if suite else None,
        tests_failed=suite.failed if suite else None,
        files=len(proof.files) if proof else 0,
        lines_added=added,
        lines_removed=removed,
        calls=sum(run.id in cycle.started for run in asked),
        answered=sum(isinstance(run.ended, Completed) for run in asked),
        rules=len(runs) - len(asked),
        tokens_in=sum(one.tokens_in for one in ended),
        tokens_out=sum(one.tokens_out for one in ended),
        cost_micros=sum(one.cost_micros for one in ended if one.billing is Billing.PRICE),
        billing=_billing(asked),
        engine_ms=sum(one.duration_ms for one in ended),
        seconds=_seconds([event.envelope.at for event in cycle.events]),
    )


def _billing(runs: list[PastRun]) -> str:
    """Return who paid: a price where any call had one."""
    known = {run.ended.billing for run in runs if isinstance(run.ended, Completed)}
    return next((one.value for one in (Billing.PRICE, Billing.SUBSCRIPTION) if one in known), "")


def _before(cycle: Cycle) -> int | None:
    found = [fact.passed for _, fact in cycle.of(TARGET.name) if isinstance(fact, BaselineRecorded)]
    return found[-1] if found else None


async def _suite(book: Log, state: Improvement) -> SuiteReport | None:
    if state.verdict is None:
        return None
    return SuiteReport.model_validate_json(await book.fetch(state.verdict.report))


async def _lines(book: Log, state: Improvement) -> tuple[int, int]:
    """Count the lines that the change adds and removes."""
    if state.change is None:
        return 0, 0
    return lines_of(await book.fetch(state.change.patch))


def lines_of(patch: bytes) -> tuple[int, int]:
    """Return how many lines a patch adds and removes."""
    counts = {b"+": 0, b"-": 0}
    in_hunk = False
    for line in patch.splitlines():
        in_hunk = (in_hunk or line.startswith(b"@@")) and not line.startswith(b"diff ")
        if in_hunk and line[:1] in counts:
            counts[line[:1]] += 1
    return counts[b"+"], counts[b"-"]


def _seconds(times: list[datetime]) -> int:
    return round((max(times) - min(times)).total_seconds()) if times else 0
