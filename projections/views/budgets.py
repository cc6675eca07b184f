"""Budgets: what engines may still cost, and how often they may be called, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.budget import Budget
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table

LIST = """
select * from {schema}.budgets
where case when $1::bigint is null then valid_to_seq is null
  else int8range(valid_from_seq, valid_to_seq) @> $1 end
order by opened_at, id
"""
RUNNING = """
select * from {schema}.budgets where valid_to_seq is null and until > now() order by opened_at, id
"""


@dataclass(frozen=True)
class BudgetRow:
    """A budget from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    Amounts are millionths of a US dollar. `running` calls hold what is reserved; `runs` are over, and paid
    for. `over_micros` was spent beyond what was reserved. `exhausted` says why a call was refused, as long as
    it would be refused still; `escalated` says what to raise or wait for where this has lasted too long.
    """

    id: str
    limit_micros: int
    reserved_micros: int
    committed_micros: int
    over_micros: int
    left_micros: int
    limit_runs: int
    running: int
    runs: int
    exhausted: str
    escalated: str
    until: datetime | None
    opened_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


def row(step: Step) -> BudgetRow | None:
    """Return the row after a step, None when the budget is not open."""
    state = step.after
    if not isinstance(state, Budget) or state.opened is None:
        return None
    return BudgetRow(
        id=step.id,
        limit_micros=state.opened.limit_micros,
        reserved_micros=state.reserved_micros,
        committed_micros=state.committed_micros,
        over_micros=state.over_micros,
        left_micros=state.left_micros,
        limit_runs=state.opened.limit_runs,
        running=len(state.reserved),
        runs=state.runs,
        exhausted=state.exhausted.reason if state.exhausted else "",
        escalated=", ".join(state.escalated.blockers) if state.escalated else "",
        until=state.opened.until,
        opened_at=step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a budget ends its row and begins the next."""
    stood = isinstance(step.before, Budget) and step.before.opened is not None
    return ranged(step, stood, row(step))


TABLE = Table("budgets", BudgetRow, ("id", "valid_from_seq"), RANGED_INDEXES)
BUDGETS = View(2, TABLE, evolve)
