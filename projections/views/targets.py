"""The targets: each repository, its latest scan, its findings and its baseline, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events.target import BaselineRecorded, Scan, Target
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table

LIST = """
select * from {schema}.targets
where case when $1::bigint is null then valid_to_seq is null
  else int8range(valid_from_seq, valid_to_seq) @> $1 end
order by title, id
"""
ONE = """
select * from {schema}.targets
where id = $1 and ($2::bigint is null or valid_from_seq <= $2)
order by valid_from_seq desc limit 1
"""


class ScanState(StrEnum):
    """How the latest scan stands."""

    NONE = "none"
    REQUESTED = "requested"
    SCANNED = "scanned"
    FAILED = "failed"


@dataclass(frozen=True)
class TargetRow:
    """A target from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `scan` and what follows speak of the latest scan; `baseline_usable` is None before a baseline.
    """

    id: str
    title: str
    path: str
    origin: str
    paused: bool
    scans: int
    scan: str
    scan_state: ScanState
    scan_reason: str
    base: str
    branch: str
    engine: str
    packages: tuple[str, ...]
    findings: int
    findings_by_rule: dict[str, int]
    improvements: tuple[str, ...]
    baseline_usable: bool | None
    baseline_reason: str
    baseline_passed: int
    baseline_failed: int
    baseline_flaky: tuple[str, ...]
    suite_ms: int
    version: int
    registered_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


def row(step: Step) -> TargetRow | None:
    """Return the row after a step, None when there is no target yet."""
    state = step.after
    if not isinstance(state, Target) or state.registered is None:
        return None
    scan = state.latest
    asked = scan.requested if scan else None
    done = scan.done if scan else None
    baseline = _baseline(state, scan)
    return TargetRow(
        id=step.id,
        title=state.registered.title,
        path=state.registered.path,
        origin=state.registered.origin,
        paused=state.paused,
        scans=len(state.scans),
        scan=asked.scan if asked else "",
        scan_state=_scan_state(scan),
        scan_reason=scan.failed.reason if scan and scan.failed else "",
        base=asked.base if asked else "",
        branch=asked.branch if asked else "",
        engine=asked.engine if asked else "",
        packages=done.packages if done else (),
        findings=sum(done.findings.values()) if done else 0,
        findings_by_rule=done.findings if done else {},
        improvements=done.improvements if done else (),
        baseline_usable=baseline.usable if baseline else None,
        baseline_reason=baseline.reason if baseline else "",
        baseline_passed=baseline.passed if baseline else 0,
        baseline_failed=baseline.failed if baseline else 0,
        baseline_flaky=baseline.flaky if baseline else (),
        suite_ms=baseline.suite_ms if baseline else 0,
        version=step.stamp.version,
        registered_at=step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def _baseline(state: Target, scan: Scan | None) -> BaselineRecorded | None:
    return state.baseline_at(scan.requested.base) if scan else None


def _scan_state(scan: Scan | None) -> ScanState:
    if scan is None:
        return ScanState.NONE
    if scan.failed:
        return ScanState.FAILED
    return ScanState.SCANNED if scan.done else ScanState.REQUESTED


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a target ends its row and begins the next."""
    stood = isinstance(step.before, Target) and step.before.registered is not None
    return ranged(step, stood, row(step))


TABLE = Table("targets", TargetRow, ("id", "valid_from_seq"), RANGED_INDEXES)
TARGETS = View(1, TABLE, evolve)
