"""The task board: every claim on every kind of work, who won it, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events.improvement_facts import Retried
from events.lease import Claim, WorkClaimed, WorkReleased, WorkRenewed
from projections.step import Amend, Change, Put, Step, View
from projections.table import Table

LIST = """
select * from {schema}.task_board
where ($1::text is null or state = $1) and ($2::text is null or agent = $2)
  and ($3::text is null or aggregate = $3) and ($4::text is null or id = $4)
order by claimed_seq
"""


class TaskState(StrEnum):
    """How a claim stands. A running one may have expired: its lease is then over, see `TaskRow.expired`."""

    RUNNING = "running"
    FINISHED = "finished"
    RELEASED = "released"
    TAKEN_OVER = "taken_over"


@dataclass(frozen=True)
class TaskRow:
    """One claim; `token` is its fencing token. `ended_by` names the fact, or the agent who took over."""

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

    def expired(self, now: datetime) -> bool:
        """Whether another agent may take the work over."""
        return self.state is TaskState.RUNNING and now >= self.lease_until


def evolve(step: Step) -> Sequence[Change]:
    """A claim begins a row; renewing, finishing, releasing or taking over amends it."""
    before: Claim | None = getattr(step.before, "claim", None)
    after: Claim | None = getattr(step.after, "claim", None)
    if isinstance(step.fact, WorkClaimed):
        lost = (_ended(step, before, TaskState.TAKEN_OVER, step.fact.agent),) if before else ()
        return (*lost, Put(_claimed(step, step.fact)))
    if isinstance(step.fact, WorkRenewed) and after:
        return (Amend(_key(step, after), {"lease_until": after.lease_until}),)
    if before and after is None:
        given_up = isinstance(step.fact, WorkReleased | Retried)
        state = TaskState.RELEASED if given_up else TaskState.FINISHED
        return (_ended(step, before, state, step.fact.name),)
    return ()


def _key(step: Step, claim: Claim) -> tuple[object, ...]:
    return (step.aggregate, step.id, claim.token)


def _ended(step: Step, claim: Claim, state: TaskState, by: str) -> Amend:
    reason = step.fact.reason if isinstance(step.fact, WorkReleased | Retried) else ""
    return Amend(
        _key(step, claim),
        {
            "state": state,
            "ended_at": step.stamp.time,
            "ended_seq": step.seq,
            "ended_by": by,
            "reason": reason,
        },
    )


def _claimed(step: Step, fact: WorkClaimed) -> TaskRow:
    return TaskRow(
        aggregate=step.aggregate,
        id=step.id,
        token=step.stamp.version,
        work=fact.work,
        agent=fact.agent,
        state=TaskState.RUNNING,
        lease_until=fact.lease_until,
        claimed_at=step.stamp.time,
        claimed_seq=step.seq,
        ended_at=None,
        ended_seq=None,
        ended_by="",
        reason="",
    )


TABLE = Table(
    "task_board", TaskRow, ("aggregate", "id", "token"), ("(agent)", "(claimed_seq) where state = 'running'")
)
TASK_BOARD = View(1, TABLE, evolve)
