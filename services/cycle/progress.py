"""How far a cycle is, for a person who watches it.

Rules
1. The phase is the first that anything still waits for: nothing is shown as done before its fact is there.
2. Time left is told only while it can be known: the suite's duration is measured and no run was red yet,
   so that only the runs every batch needs are to come. A search has no honest estimate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from events.batch import BATCH, Batch
from events.improvement import LANDED, Improvement
from events.target import TARGET, Scan, Target
from schemas.improvement import Status
from services.cycle.settling import settled, states_of
from services.cycle.text import plain_text
from services.gates.evaluator_files import is_evaluator
from services.runtime.log import Log

S = Status
States = Mapping[str, Improvement]


class CyclePhase(StrEnum):
    """The phases of a cycle, in order."""

    SCANNING = "scanning"
    BASELINE = "baseline"
    REQUIREMENTS = "requirements"
    DESIGN = "design"
    IMPLEMENTATION = "implementation"
    TRIAL = "trial"
    VERDICTS = "verdicts"
    DEPLOYMENT = "deployment"
    MEASURING = "measuring"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """`done` of `total` improvements are through the phase; `total` 0 where nothing is counted.

    `suite_runs` counts the baseline's and the trees tried; `left_ms` is None where nobody knows.
    """

    phase: CyclePhase
    done: int
    total: int
    suite_runs: int
    left_ms: int | None
    note: str


async def progress_at(book: Log, target_id: str, scan_id: str) -> Progress:
    """Return how far a scan's cycle is now."""
    target = await book.state(TARGET, target_id)
    scan = target.scans[scan_id]
    batches: list[Batch] = []
    while (found := await book.state(BATCH, f"{scan_id}-b{len(batches) + 1}")).formed is not None:
        batches.append(found)
    return progress_of(target, scan, await states_of(book, scan), batches)


def progress_of(target: Target, scan: Scan, states: States, batches: Sequence[Batch]) -> Progress:
    """Return how far the cycle of `scan` is; `batches` are all it had, in order."""
    runs = sum(len(one.runs) for one in batches) + (scan.baseline.suite_runs if scan.baseline else 0)
    batch = batches[-1] if batches else Batch()

    def at(phase: CyclePhase, note: str, done: int = 0, total: int = 0, left: int | None = None) -> Progress:
        return Progress(phase, done, total, runs, left, note)

    if settled(target, scan, states):
        return at(CyclePhase.DONE, _ending(scan, states), len(states), len(states))
    if scan.done is None:
        return at(CyclePhase.SCANNING, "looking for what can be improved")
    if target.baseline_at(scan.requested.base) is None:
        return at(CyclePhase.BASELINE, "building the environment, then the suite before any change")
    return _making(states, batch, at) or _proving(target, scan, states, batch, at) or _landing(states, at)


At = Callable[..., Progress]
MAKING = (
    (S.INITIALIZED, CyclePhase.REQUIREMENTS, "writing what must hold afterwards"),
    (S.REQUIREMENTS_COMPLETE, CyclePhase.DESIGN, "what is touched, and its risk"),
    (S.ARCHITECTURE_COMPLETE, CyclePhase.IMPLEMENTATION, "writing the changes"),
)


def _making(states: States, batch: Batch, at: At) -> Progress | None:
    if batch.formed is not None and batch.closed is None:
        return None
    for status, phase, note in MAKING:
        behind = sum(state.status is status for state in states.values())
        if behind:
            return at(phase, note, len(states) - behind, len(states))
    return None


def _proving(target: Target, scan: Scan, states: States, batch: Batch, at: At) -> Progress | None:
    waiting = sum(state.status is S.IMPLEMENTATION_COMPLETE for state in states.values())
    if batch.formed is None or batch.closed is not None:
        return at(CyclePhase.TRIAL, "putting the changes together", 0, waiting) if waiting else None
    members = len(batch.formed.members)
    if batch.settled is None:
        trial = at(CyclePhase.TRIAL, "", 0, members, _left(target, scan, states, batch))
        return replace(trial, note=_trial(trial.suite_runs + 1, members, batch))
    again = sum(states[id].status is S.ARCHITECTURE_COMPLETE for id in batch.settled.smaller if id in states)
    note = "every gate and scenario on what is kept"
    if again:
        note = f"{again} of the changes are written again without what did harm"
    return at(CyclePhase.VERDICTS, note, members - again, members)


def _trial(number: int, members: int, batch: Batch) -> str:
    """Say which run of the suite is under way, and what the one before it showed.

    What is tried now is on the log only once its run is over.
    """
    tried = tuple(batch.runs.values())
    changes = "1 change" if members == 1 else f"{members} changes"
    if not tried:
        return f"suite run {number}, for {changes}"
    last = tried[-1]
    how = " under coverage" if last.coverage else ""
    if last.original_tests:
        how = " with the tests as they were"
    verdict = "passed" if last.passed else "failed"
    return f"suite run {number}; before it {last.members} of {changes} {verdict}{how}"


def _left(target: Target, scan: Scan, states: States, batch: Batch) -> int | None:
    """One run on all changes, under coverage where measured, and one with edited tests as they were."""
    baseline = target.baseline_at(scan.requested.base)
    runs = tuple(batch.runs.values())
    if baseline is None or not baseline.usable or any(not run.passed for run in runs):
        return None
    slow = baseline.coverage and baseline.coverage_ms > 2 * baseline.suite_ms  # then run plainly first
    plain = 0 if runs or (baseline.coverage and not slow) else baseline.suite_ms
    covered = baseline.coverage_ms if baseline.coverage and not any(run.coverage for run in runs) else 0
    edits = any(s.change is not None and any(map(is_evaluator, s.change.files)) for s in states.values())
    original = baseline.suite_ms if edits and not any(run.original_tests for run in runs) else 0
    return plain + covered + original or None


def _landing(states: States, at: At) -> Progress:
    proven = [s for s in states.values() if s.status in (S.TESTING_COMPLETE, S.APPROVED) and not s.blocked]
    landed = [state for state in states.values() if state.status in LANDED]
    if proven:
        note = "putting what is approved on the branch"
        return at(CyclePhase.DEPLOYMENT, note, len(landed), len(landed) + len(proven))
    if any(state.rollback is not None for state in states.values()):
        return at(CyclePhase.DEPLOYMENT, "taking changes back")
    measured = sum(state.benefit is not None for state in landed)
    return at(CyclePhase.MEASURING, "counting findings on what landed", measured, len(landed))


def _ending(scan: Scan, states: States) -> str:
    if scan.failed is not None:
        return plain_text(scan.failed.reason)
    landed = sum(state.status in LANDED for state in states.values())
    waiting = sum(state.blocked is not None for state in states.values())
    found = scan.done.improvements if scan.done else ()
    known = bool(found) and set(found) <= set(scan.done.known if scan.done else ())
    stands = f"{landed} on the branch" if known else f"{landed} landed"
    return stands + (f", {waiting} waiting" if waiting else "")
