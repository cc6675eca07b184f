"""Engine usage: every engine call, what it took and how it ended, and its sums, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from events.run import Completed, Failed, Metered, Run
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table
from schemas.engine import Billing

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
select {by} as what, billing, count(*) as runs, count(*) filter (where outcome = 'completed') as answered,
  count(*) filter (where outcome = 'reused') as reused, sum(duration_ms)::bigint as duration_ms,
  sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out,
  sum(tokens_cached)::bigint as tokens_cached, sum(cost_micros)::bigint as cost_micros
from {schema}.engine_usage
where case when $2::bigint is null then valid_to_seq is null
  else int8range(valid_from_seq, valid_to_seq) @> $2 end
  and ($1::text is null or improvement = $1)
group by 1, billing
order by 1, billing
"""


class By(StrEnum):
    """What sums are made by."""

    RUN = "run"
    IMPROVEMENT = "improvement"
    ROLE = "role"
    ENGINE = "engine"
    MODEL = "model"
    TASK = "task"
    DAY = "day"

    @property
    def sums(self) -> str:
        """The statement for the sums, of one improvement or all, at a sequence or now."""
        column = "id" if self is By.RUN else self.value
        return SUMS.replace("{by}", column)


@dataclass(frozen=True)
class RunRow:
    """One engine call from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `outcome` is the name of its last fact; `reason` says why it failed or stopped, or which run it reused,
    and `kind` in a word why it failed. `billing` says who pays for it once it ended; `cost_micros` counts
    where that is `price`. `day` is that of its request, in UTC.
    """

    id: str
    improvement: str
    role: str
    engine: str
    model: str
    task: str
    attempt: int
    instead_of: str
    outcome: str
    kind: str
    reason: str
    duration_ms: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    billing: str
    cost_micros: int
    turns: int
    day: str
    requested_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


@dataclass(frozen=True)
class UsageRow:
    """The sums of calls that have something in common: `what` says which improvement, day or the like.

    `answered` and `reused` are among the `runs`.
    """

    what: str
    billing: str
    runs: int
    answered: int
    reused: int
    duration_ms: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_micros: int


def row(step: Step) -> RunRow | None:
    """Return the row after a step, None when nothing was asked of an engine yet."""
    run = step.after
    if not isinstance(run, Run) or run.requested is None:
        return None
    asked, ended = run.requested, run.ended
    used = ended if isinstance(ended, Metered) else None
    answered_by = used.model if used else ""
    return RunRow(
        id=step.id,
        improvement=asked.improvement,
        role=asked.role,
        engine=asked.engine,
        model=answered_by or asked.model,
        task=asked.task,
        attempt=asked.attempt,
        instead_of=asked.instead_of,
        outcome=step.fact.name,
        kind=ended.kind or "" if isinstance(ended, Failed) else "",
        reason=_reason(run),
        duration_ms=used.duration_ms if used else 0,
        tokens_in=used.tokens_in if used else 0,
        tokens_out=used.tokens_out if used else 0,
        tokens_cached=used.tokens_cached if used else 0,
        billing=_billing(run),
        cost_micros=used.cost_micros if used else 0,
        turns=used.turns if used else 0,
        day=step.began.astimezone(UTC).date().isoformat(),
        requested_at=step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a run ends its row and begins the next."""
    stood = isinstance(step.before, Run) and step.before.requested is not None
    return ranged(step, stood, row(step))


def _billing(run: Run) -> str:
    if isinstance(run.ended, Metered):
        return run.ended.billing
    return Billing.FREE if run.ended else ""


def _reason(run: Run) -> str:
    if run.ended is None or isinstance(run.ended, Completed):
        return ""
    return getattr(run.ended, "reason", "") or getattr(run.ended, "run", "")


TABLE = Table("engine_usage", RunRow, ("id", "valid_from_seq"), ("(improvement)", *RANGED_INDEXES))
USAGE = Table("engine_usage", UsageRow, ())
ENGINE_USAGE = View(3, TABLE, evolve)
