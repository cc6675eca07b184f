"""The task board: every claim on every kind of work, who won it, and how it ended, now or at any sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events.escalation import Escalated
from events.improvement_facts import Retried
from events.lease import Claim, WorkReleased
from projections.step import Amend, Change, Put, Step, View
from projections.table import RANGED_INDEXES, Table
from schemas.obstacle import Obstacle

LIST = """
select * from {schema}.task_board
where {holding}
  and ($1::text is null or state = $1) and ($2::text is null or agent = $2)
  and ($3::text is null or aggregate = $3) and ($4::text is null or id = $4)
order by claimed_seq
"""
LIST_NOW = LIST.replace("{holding}", "valid_to_seq is null")
LIST_AT = LIST.replace("{holding}", "int8range(valid_from_seq, valid_to_seq) @> $5::bigint")


class TaskState(StrEnum):
    """How a claim stands. A running one may have expired: its lease is then over, see `TaskRow.expired`."""

    RUNNING = "running"
    FINISHED = "finished"
    RELEASED = "released"
    TAKEN_OVER = "taken_over"


@dataclass(frozen=True)
class TaskRow:
    """One claim from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `token` is its fencing token; `ended_by` names the fact, or the agent who took over. `taken_over` counts
    the holders before who left the work lying, `escalated` says that it lies for too long.
    """

    aggregate: str
    id: str
    token: int
    work: str
    agent: str
    state: TaskState
    lease_until: datetime
    claimed_at: datetime
    claimed_seq: int
    ended_at: datetime | None
    ended_seq: int | None
    ended_by: str
    reason: str
    taken_over: int
    escalated: str
    valid_from_seq: int
    valid_to_seq: int | None

    def expired(self, now: datetime) -> bool:
        """Whether another agent may take the work over."""
        return self.state is TaskState.RUNNING and now >= self.lease_until


def evolve(step: Step) -> Sequence[Change]:
    """While a claim runs each fact ends its row and begins the next; its end is the last.

    A claim that goes on unchanged gets a new row too: so the row before is always the step's before.
    """
    before: Claim | None = getattr(step.before, "claim", None)
    after: Claim | None = getattr(step.after, "claim", None)
    changes: list[Change] = []
    if before:
        key = (step.aggregate, step.id, before.token, step.previous_seq)
        changes.append(Amend(key, {"valid_to_seq": step.seq}))
        if after is None or after.token != before.token:
            changes.append(Put(_ended(step, before, after)))
    if after:
        changes.append(Put(_row(step, after, TaskState.RUNNING)))
    return changes


def _ended(step: Step, claim: Claim, winner: Claim | None) -> TaskRow:
    if winner:
        return _row(step, claim, TaskState.TAKEN_OVER, by=winner.agent)
    if isinstance(step.fact, WorkReleased | Retried):
        return _row(step, claim, TaskState.RELEASED, by=step.fact.name, reason=step.fact.reason)
    return _row(step, claim, TaskState.FINISHED, by=step.fact.name)


def _row(step: Step, claim: Claim, state: TaskState, by: str = "", reason: str = "") -> TaskRow:
    begun = step.claimed if step.claimed and step.claimed.version == claim.token else step.moment
    ended = state is not TaskState.RUNNING
    told: Escalated | None = getattr(step.after, "escalated", None)
    return TaskRow(
        aggregate=step.aggregate,
        id=step.id,
        token=claim.token,
        work=claim.work,
        agent=claim.agent,
        state=state,
        lease_until=claim.lease_until,
        claimed_at=begun.time,
        claimed_seq=begun.seq,
        ended_at=step.stamp.time if ended else None,
        ended_seq=step.seq if ended else None,
        ended_by=by,
        reason=reason,
        taken_over=claim.taken_over,
        escalated=told.reason if told and told.obstacle is Obstacle.CLAIM and not ended else "",
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


TABLE = Table(
    "task_board",
    TaskRow,
    ("aggregate", "id", "token", "valid_from_seq"),
    (
        "(agent) where valid_to_seq is null",
        "(claimed_seq) where valid_to_seq is null and state = 'running'",
        *RANGED_INDEXES,
    ),
)
TASK_BOARD = View(3, TABLE, evolve)
