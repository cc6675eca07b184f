"""The deployments: each move of a release branch, step by step, now or at any sequence of the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from events.deployment import Deployment, RolledBack
from projections.step import Change, Step, View, ranged
from projections.table import RANGED_INDEXES, Table

LIST = """
select * from {schema}.deployments
where case when $1::bigint is null then valid_to_seq is null
  else int8range(valid_from_seq, valid_to_seq) @> $1 end
  and ($2::text is null or target = $2)
order by started_at, id
"""


class DeploymentState(StrEnum):
    """How a deployment stands."""

    RUNNING = "running"
    FAILING = "failing"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class DeploymentRow:
    """A deployment from `valid_from_seq` until before `valid_to_seq` (None: it still holds).

    `healthy` is None when no health command ran.
    """

    id: str
    kind: str
    target: str
    scan: str
    improvements: tuple[str, ...]
    branch: str
    expected: str
    tip: str
    tree: str
    state: DeploymentState
    steps: tuple[str, ...]
    healthy: bool | None
    reason: str
    version: int
    started_at: datetime
    updated_at: datetime
    valid_from_seq: int
    valid_to_seq: int | None


def row(step: Step) -> DeploymentRow | None:
    """Return the row after a step, None when the deployment has not started."""
    state = step.after
    if not isinstance(state, Deployment) or state.started is None:
        return None
    started = state.started
    stands = state.ended or started
    return DeploymentRow(
        id=step.id,
        kind=started.kind,
        target=started.target,
        scan=started.scan,
        improvements=started.improvements,
        branch=started.branch,
        expected=started.expected,
        tip=stands.tip,
        tree=stands.tree,
        state=_state(state),
        steps=state.steps,
        healthy=state.health.passed if state.health else None,
        reason=state.failed.reason if state.failed else "",
        version=step.stamp.version,
        started_at=step.began,
        updated_at=step.stamp.time,
        valid_from_seq=step.seq,
        valid_to_seq=None,
    )


def _state(state: Deployment) -> DeploymentState:
    if state.ended is None:
        return DeploymentState.FAILING if state.failed else DeploymentState.RUNNING
    if isinstance(state.ended, RolledBack):
        return DeploymentState.ROLLED_BACK
    return DeploymentState.SUCCEEDED


def evolve(step: Step) -> Sequence[Change]:
    """Each fact of a deployment ends its row and begins the next."""
    stood = isinstance(step.before, Deployment) and step.before.started is not None
    return ranged(step, stood, row(step))


TABLE = Table("deployments", DeploymentRow, ("id", "valid_from_seq"), RANGED_INDEXES)
DEPLOYMENTS = View(1, TABLE, evolve)
