"""The picture: what somebody sees who looks at the whole, chosen from what the views and the health say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.improvement import ENDED, LANDED
from events.rights import SERVICES
from projections.fold import Poisoned
from projections.views.budgets import BudgetRow
from projections.views.improvement_board import ImprovementRow
from projections.views.task_board import TaskRow
from schemas.improvement import Status
from services.cli.care.condition import absent
from services.gateway.health import Component, Health, State
from services.steering.letters import DeadLetter

OUTCOMES = frozenset({*LANDED, *ENDED, Status.DEPLOYMENT_FAILED})
LAST_OUTCOMES = 20


@dataclass(frozen=True)
class Seen:
    """What the views and the log hold at `position`; `paused` says why nothing new begins."""

    position: int = 0
    paused: str = ""
    tasks: Sequence[TaskRow] = ()
    improvements: Sequence[ImprovementRow] = ()
    budgets: Sequence[BudgetRow] = ()
    poisoned: Sequence[Poisoned] = ()
    letters: Sequence[DeadLetter] = ()


@dataclass(frozen=True)
class Picture:
    """The whole at `time`. `problem` says what could not be read again: the rest is from before.

    `state` is None before the health was asked. `idle` are services that nobody needs now.
    """

    time: datetime
    position: int
    problem: str
    paused: str
    state: State | None
    well: tuple[str, ...]
    idle: tuple[str, ...]
    unwell: tuple[Component, ...]
    counts: dict[str, int]
    tasks: tuple[TaskRow, ...]
    waiting: tuple[ImprovementRow, ...]
    budgets: tuple[BudgetRow, ...]
    outcomes: tuple[ImprovementRow, ...]
    poisoned: tuple[Poisoned, ...]
    letters: tuple[DeadLetter, ...]


def pictured(seen: Seen, health: Health | None, time: datetime, problem: str = "") -> Picture:
    """Return the picture of what was seen: work in flight oldest first, outcomes and letters newest first."""
    components = health.components if health else ()
    wanted = absent([one.name for one in components if one.instances])
    idle = [one.name for one in components if one.name in SERVICES and not one.instances]
    idle = [name for name in idle if name not in wanted]
    unwell = tuple(one for one in components if one.state is not State.OK and one.name not in idle)
    outcomes = sorted(
        (row for row in seen.improvements if row.status in OUTCOMES),
        key=lambda row: row.updated_at,
        reverse=True,
    )
    return Picture(
        time=time,
        position=seen.position,
        problem=problem,
        paused=seen.paused,
        state=_worst(unwell) if health else None,
        well=tuple(one.name for one in components if one.state is State.OK),
        idle=tuple(idle),
        unwell=unwell,
        counts=dict(Counter(row.status.value for row in seen.improvements)),
        tasks=tuple(sorted(seen.tasks, key=lambda row: row.claimed_at)),
        waiting=tuple(row for row in seen.improvements if row.blocked),
        budgets=tuple(seen.budgets),
        outcomes=tuple(outcomes[:LAST_OUTCOMES]),
        poisoned=tuple(seen.poisoned),
        letters=tuple(sorted((one for one in seen.letters if not one.closed), key=_newest_first)),
    )


def _worst(unwell: Sequence[Component]) -> State:
    states = {one.state for one in unwell}
    return next(s for s in (State.FAILED, State.DEGRADED, State.OK) if s in states or s is State.OK)


def _newest_first(letter: DeadLetter) -> int:
    return -letter.number
