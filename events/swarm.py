"""The swarm as a whole: whether new work begins at all. There is one, called `all`.

Rules
1. While it is paused no engine is called and no piece of work is claimed; what is under way goes on.
2. It is paused once and resumed once; a target's own pause is another matter.
3. While it is paused all work waits.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from events.escalation import Escalated, Waiting, decide_escalation, mark
from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.obstacle import Obstacle

ALL = "all"


class Paused(Fact):
    """No new work begins."""

    name: ClassVar[str] = "paused"
    reason: str


class Resumed(Fact):
    """New work may begin again."""

    name: ClassVar[str] = "resumed"


SwarmFact = Paused | Resumed | Escalated


@dataclass(frozen=True)
class Swarm:
    """The state of the swarm; `paused` is the pause that holds, `paused_at` and `paused_by` of which."""

    paused: Paused | None = None
    paused_at: datetime | None = None
    paused_by: str = ""
    told: Escalated | None = None

    @property
    def waits(self) -> tuple[Waiting, ...]:
        """What all work waits for: the end of the pause."""
        if self.paused is None or self.paused_at is None:
            return ()
        who = (f"{self.paused_by}, who paused it", "aps resume")
        return (Waiting(Obstacle.PAUSE, self.paused_at, self.paused.reason, who),)

    @property
    def escalated(self) -> Escalated | None:
        """That all work waits too long, as long as it does."""
        return mark(self.waits, self.told)


def evolve(state: Swarm, fact: SwarmFact, stamp: Stamp) -> Swarm:
    """Return the swarm after `fact`."""
    match fact:
        case Paused():
            return replace(state, paused=fact, paused_at=stamp.time, paused_by=stamp.actor)
        case Resumed():
            return replace(state, paused=None)
        case Escalated():
            return replace(state, told=fact)


def decide(state: Swarm, fact: SwarmFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Escalated):
        decide_escalation(state.waits, state.told, fact, now)
    elif isinstance(fact, Paused) == (state.paused is not None):
        raise Rejected(f"the swarm is {'paused' if state.paused else 'running'} already")


SWARM = AggregateType("swarm", (Paused, Resumed, Escalated), Swarm(), evolve, decide)
