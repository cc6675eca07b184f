"""The outcomes: each event that says what the work came to, and the measures that are summed from them.

Lead time runs from an improvement's discovery to its landing, time to restore from the moment that a change
was to be taken back, or failed to deploy, until the branch stood without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events import batch, improvement_facts, target
from events.batch import Batch
from events.fact import Fact
from events.improvement import LANDED, Improvement
from projections.step import Change, Put, Step, View
from projections.table import Table

i = improvement_facts


class Outcome(StrEnum):
    """What an event means for the measures."""

    DISCOVERED = "discovered"
    REFUTED = "refuted"
    DECLINED = "declined"
    ABANDONED = "abandoned"
    LANDED = "landed"
    PARTLY_LANDED = "partly_landed"
    FAILED = "failed"
    BREACHED = "breached"
    ROLLED_BACK = "rolled_back"
    RESTORED = "restored"
    SUITE_RUN = "suite_run"


MEANS: dict[type[Fact], Outcome] = {
    i.Discovered: Outcome.DISCOVERED,
    i.ChangeRefuted: Outcome.REFUTED,
    i.ChangeDeclined: Outcome.DECLINED,
    i.Abandoned: Outcome.ABANDONED,
    i.ChangeDeployed: Outcome.LANDED,
    i.DeploymentFailed: Outcome.FAILED,
    i.RollbackRequested: Outcome.BREACHED,
    i.ChangeRolledBack: Outcome.ROLLED_BACK,
    batch.Tested: Outcome.SUITE_RUN,
    target.BaselineRecorded: Outcome.SUITE_RUN,
}


@dataclass(frozen=True)
class OutcomeRow:
    """One event that counts. `id` is of the improvement, batch or target that it happened to.

    A change that was taken back is `rolled_back` where it had landed, `restored` where deploying it failed.
    `lead_ms` is told of what landed, `suite_runs` and `suite_ms` of runs of the target's suite.
    """

    seq: int
    time: datetime
    target: str
    id: str
    outcome: Outcome
    lead_ms: int | None
    suite_runs: int
    suite_ms: int


@dataclass(frozen=True)
class OutcomeSums:
    """The outcomes that have something in common: `what` says which target, or when their time began.

    `priced_micros` is what engines were paid for calls that ended then. Medians and 90th percentiles are in
    milliseconds, None where there was nothing to measure.
    """

    what: str
    discovered: int
    refuted: int
    declined: int
    abandoned: int
    landed: int
    partly_landed: int
    failed: int
    rolled_back: int
    restored: int
    suite_runs: int
    suite_ms: int
    lead_ms_p50: int | None
    lead_ms_p90: int | None
    restore_ms_p50: int | None
    restore_ms_p90: int | None
    calls: int
    priced_micros: int


def evolve(step: Step) -> Sequence[Change]:
    """Each event that counts is one row."""
    outcome = MEANS.get(type(step.fact))
    if outcome is None:
        return ()
    improvement = step.after if isinstance(step.after, Improvement) else None
    row = OutcomeRow(
        seq=step.seq,
        time=step.stamp.time,
        target=_target(step),
        id=step.id,
        outcome=_narrowed(outcome, step),
        lead_ms=_lead(improvement, step) if outcome is Outcome.LANDED else None,
        suite_runs=_suite(step.fact)[0],
        suite_ms=_suite(step.fact)[1],
    )
    return (Put(row),)


def _target(step: Step) -> str:
    match step.after:
        case Improvement(discovered=found) if found is not None:
            return found.target
        case Batch(formed=formed) if formed is not None:
            return formed.target
        case _:
            return step.id


def _narrowed(outcome: Outcome, step: Step) -> Outcome:
    match step.fact:
        case i.ChangeDeployed(partly=True):
            return Outcome.PARTLY_LANDED
        case i.ChangeRolledBack() if not (
            isinstance(step.before, Improvement) and step.before.status in LANDED
        ):
            return Outcome.RESTORED
        case _:
            return outcome


def _lead(improvement: Improvement | None, step: Step) -> int | None:
    if improvement is None or improvement.discovered_at is None:
        return None
    return round((step.stamp.time - improvement.discovered_at).total_seconds() * 1000)


def _suite(fact: Fact) -> tuple[int, int]:
    match fact:
        case batch.Tested():
            return 1, fact.suite_ms
        case target.BaselineRecorded():
            return fact.suite_runs, fact.suite_ms
        case _:
            return 0, 0


LIST = """
select * from {schema}.outcomes
where ($1::bigint is null or seq <= $1) and time >= coalesce($2::timestamptz, '-infinity')
  and ($3::text is null or target = $3)
order by seq
"""
# $1 as of a sequence, $2 and $3 from when until before when, $4 the target, $5 the width of a part of time
SUMS = """
with told as (
  select {by_outcome} as what, o.*,
    case when outcome in ('rolled_back', 'restored') then (
      select (extract(epoch from o.time - max(b.time)) * 1000)::bigint from {schema}.outcomes b
      where b.id = o.id and b.seq < o.seq and b.outcome in ('breached', 'failed')
    ) end as restore_ms
  from {schema}.outcomes o
  where ($1::bigint is null or seq <= $1) and time >= $2 and time < $3 and ($4::text is null or target = $4)
    and $5::interval is not null
), counted as (
  select coalesce(what, '') as what,
    count(*) filter (where outcome = 'discovered') as discovered,
    count(*) filter (where outcome = 'refuted') as refuted,
    count(*) filter (where outcome = 'declined') as declined,
    count(*) filter (where outcome = 'abandoned') as abandoned,
    count(*) filter (where outcome in ('landed', 'partly_landed')) as landed,
    count(*) filter (where outcome = 'partly_landed') as partly_landed,
    count(*) filter (where outcome = 'failed') as failed,
    count(*) filter (where outcome = 'rolled_back') as rolled_back,
    count(*) filter (where outcome = 'restored') as restored,
    coalesce(sum(suite_runs), 0)::bigint as suite_runs, coalesce(sum(suite_ms), 0)::bigint as suite_ms,
    percentile_disc(0.5) within group (order by lead_ms) as lead_ms_p50,
    percentile_disc(0.9) within group (order by lead_ms) as lead_ms_p90,
    percentile_disc(0.5) within group (order by restore_ms) as restore_ms_p50,
    percentile_disc(0.9) within group (order by restore_ms) as restore_ms_p90
  from told group by {grouped}
), paid as (
  select {by_call} as what, cost_micros, billing
  from {schema}.engine_usage r
  left join {schema}.outcomes d on d.id = r.improvement and d.outcome = 'discovered'
  where case when $1::bigint is null then valid_to_seq is null
      else int8range(valid_from_seq, valid_to_seq) @> $1 end
    and r.outcome not in ('requested', 'started') and updated_at >= $2 and updated_at < $3
    and ($4::text is null or d.target = $4)
), spent as (
  select coalesce(what, '') as what, count(*) as calls,
    coalesce(sum(cost_micros) filter (where billing = 'price'), 0)::bigint as priced_micros
  from paid group by {grouped}
)
select what, coalesce(discovered, 0) as discovered, coalesce(refuted, 0) as refuted,
  coalesce(declined, 0) as declined, coalesce(abandoned, 0) as abandoned, coalesce(landed, 0) as landed,
  coalesce(partly_landed, 0) as partly_landed, coalesce(failed, 0) as failed,
  coalesce(rolled_back, 0) as rolled_back, coalesce(restored, 0) as restored,
  coalesce(suite_runs, 0) as suite_runs, coalesce(suite_ms, 0) as suite_ms,
  lead_ms_p50, lead_ms_p90, restore_ms_p50, restore_ms_p90,
  coalesce(calls, 0) as calls, coalesce(priced_micros, 0) as priced_micros
from counted full join spent using (what) order by what
"""
EACH = "what"
EACH_AND_WHOLE = "grouping sets ((what), ())"  # the row of the whole names nothing
PART = """to_char(date_bin($5, {time}, 'epoch') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


class OutcomesBy(StrEnum):
    """What measures are summed by: all together, each target, or each part of time."""

    ALL = "all"
    TARGET = "target"
    TIME = "time"

    @property
    def sums(self) -> str:
        """The statement for the sums."""
        return self._summed(EACH)

    @property
    def sums_and_whole(self) -> str:
        """The statement for the sums, and first for that of all of them, which is named by nothing."""
        return self._summed(EACH_AND_WHOLE)

    def _summed(self, grouped: str) -> str:
        match self:
            case OutcomesBy.ALL:
                outcome, call = "''", "''"
            case OutcomesBy.TARGET:
                outcome, call = "o.target", "coalesce(d.target, '')"
            case OutcomesBy.TIME:
                outcome, call = PART.replace("{time}", "o.time"), PART.replace("{time}", "r.updated_at")
        statement = SUMS.replace("{grouped}", grouped)
        return statement.replace("{by_outcome}", outcome).replace("{by_call}", call)


TABLE = Table("outcomes", OutcomeRow, ("seq",), ("(time)", "(id, seq)"))
SUMMED = Table("outcomes", OutcomeSums, ())
OUTCOMES = View(1, TABLE, evolve)
