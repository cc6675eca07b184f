"""The improvement board: where each improvement stands, now or at any sequence of the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.improvement import Improvement
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table, row_of
from schemas.improvement import Status

LIST = """
select * from {schema}.improvement_board
where int8range(valid_from_seq, valid_to_seq) @> $1::bigint
  and ($2::text is null or target = $2) and ($3::text is null or status = $3)
order by target, rank, id
"""
LIST_NOW = """
select * from {schema}.improvement_board
where valid_to_seq is null
  and ($1::text is null or target = $1) and ($2::text is null or status = $2)
order by target, rank, id
"""
ONE = """
select * from {schema}.improvement_board
where id = $1 and ($2::bigint is null or valid_from_seq <= $2)
order by valid_from_seq desc limit 1
"""


@dataclass(frozen=True)
class ImprovementRow:
    """An improvement from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `commit` is what stands deployed, else what was proven, else what was written; `version` counts
    the improvement's facts; `reason` says why it was last refused or ended, `blocked` why it waits.
    `escalated` says what it has waited for too long, and `blockers` who or what can end that.
    """

    id: str
    target: str
    scan: str
    base: str
    rank: int
    source: str
    rule: str
    title: str
    status: Status
    risk: str
    reason: str
    attempts: int
    commit: str
    branch: str
    fixed: int
    expected: int
    left_out: int
    files: tuple[str, ...]
    blocked: str
    blocked_since: datetime | None
    escalated: str
    blockers: tuple[str, ...]
    version: int
    discovered_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


def row(step: Step) -> ImprovementRow | None:
    """Return the row after a step, None when there is no improvement yet."""
    state = step.after
    if not isinstance(state, Improvement) or state.status is None or state.discovered is None:
        return None
    found, change, verdict = state.discovered, state.change, state.verdict
    proven, told = verdict or change, state.escalated
    return row_of(
        ImprovementRow,
        id=step.id,
        target=found.target,
        scan=found.scan,
        base=found.base,
        rank=state.rank,
        source=found.source,
        rule=found.rule,
        title=found.title,
        status=state.status,
        risk=state.design.risk if state.design else "",
        reason=state.reason,
        attempts=change.attempt if change else 0,
        commit=state.deployed.commit if state.deployed else proven.commit if proven else "",
        branch=state.deployed.branch if state.deployed else "",
        fixed=proven.fixed if proven else 0,
        expected=found.expected,
        left_out=len(verdict.left_out) if verdict else 0,
        files=proven.files if proven else found.files,
        blocked=state.blocked.reason if state.blocked else "",
        blocked_since=state.blocked_at if state.blocked else None,
        escalated=told.reason if told else "",
        blockers=told.blockers if told else (state.blocked.needs,) if state.blocked else (),
        version=step.stamp.version,
        discovered_at=state.discovered_at or step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of an improvement ends its row and begins the next."""
    before = step.before
    stood = isinstance(before, Improvement) and before.status is not None and before.discovered is not None
    return ranged(step, stood, row(step))


BY_STATUS = "(status, target, rank, id) where valid_to_seq is null"
TABLE = Table("improvement_board", ImprovementRow, ("id", "valid_from_seq"), (*RANGED_INDEXES, BY_STATUS))
IMPROVEMENT_BOARD = View(3, TABLE, evolve)
