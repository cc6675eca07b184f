"""Engine usage: every engine call, what it took and how it ended, and its sums, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.run import Completed, Failed, Run
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table

RUNS = """
select * from {schema}.engine_usage
where valid_to_seq is null
  and ($1::text is null or improvement = $1) and ($2::text is null or outcome = $2)
order by requested_at, id
"""
RUNS_AT = """
select * from {schema}.engine_usage
where int8range(valid_from_seq, valid_to_seq) @> $1::bigint
  and ($2::text is null or improvement = $2) and ($3::text is null or outcome = $3)
order by requested_at, id
"""
SUMS = """
select improvement, role, engine, model, outcome, count(*) as runs, sum(duration_ms)::bigint as duration_ms,
  sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out,
  sum(cost_micros)::bigint as cost_micros
from {schema}.engine_usage
where {holding} and ($1::text is null or improvement = $1)
group by improvement, role, engine, model, outcome
order by engine, model, role, improvement, outcome
"""
SUMS_NOW = SUMS.replace("{holding}", "valid_to_seq is null")
SUMS_AT = SUMS.replace("{holding}", "int8range(valid_from_seq, valid_to_seq) @> $2::bigint")


@dataclass(frozen=True)
class RunRow:
    """One engine call from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `outcome` is the name of its last fact; `reason` says why it failed or stopped, or which run it reused.
    """

    id: str
    improvement: str
    role: str
    engine: str
    model: str
    task: str
    outcome: str
    reason: str
    duration_ms: int
    tokens_in: int
    tokens_out: int
    cost_micros: int
    requested_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


@dataclass(frozen=True)
class UsageRow:
    """The sums of the calls that share everything but their time."""

    improvement: str
    role: str
    engine: str
    model: str
    outcome: str
    runs: int
    duration_ms: int
    tokens_in: int
    tokens_out: int
    cost_micros: int


def row(step: Step) -> RunRow | None:
    """Return the row after a step, None when nothing was asked of an engine yet."""
    run = step.after
    if not isinstance(run, Run) or run.requested is None:
        return None
    asked, ended = run.requested, run.ended
    completed = ended if isinstance(ended, Completed) else None
    return RunRow(
        id=step.id,
        improvement=asked.improvement,
        role=asked.role,
        engine=asked.engine,
        model=asked.model,
        task=asked.task,
        outcome=step.fact.name,
        reason=_reason(run),
        duration_ms=ended.duration_ms if isinstance(ended, Completed | Failed) else 0,
        tokens_in=completed.tokens_in if completed else 0,
        tokens_out=completed.tokens_out if completed else 0,
        cost_micros=completed.cost_micros if completed else 0,
        requested_at=step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a run ends its row and begins the next."""
    stood = isinstance(step.before, Run) and step.before.requested is not None
    return ranged(step, stood, row(step))


def _reason(run: Run) -> str:
    if run.ended is None or isinstance(run.ended, Completed):
        return ""
    return getattr(run.ended, "reason", "") or getattr(run.ended, "run", "")


TABLE = Table("engine_usage", RunRow, ("id", "valid_from_seq"), ("(improvement)", *RANGED_INDEXES))
USAGE = Table("engine_usage", UsageRow, ())
ENGINE_USAGE = View(2, TABLE, evolve)
