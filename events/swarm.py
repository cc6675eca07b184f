"""The swarm as a whole: whether new work begins at all. There is one, called `all`.

Rules
1. While it is paused no engine is called and no piece of work is claimed; what is under way goes on.
2. It is paused once and resumed once; a target's own pause is another matter.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from events.fact import AggregateType, Fact, Rejected, Stamp

ALL = "all"


class Paused(Fact):
    """No new work begins."""

    name: ClassVar[str] = "paused"
    reason: str


class Resumed(Fact):
    """New work may begin again."""

    name: ClassVar[str] = "resumed"


SwarmFact = Paused | Resumed


@dataclass(frozen=True)
class Swarm:
    """The state of the swarm; `paused` is the pause that holds."""

    paused: Paused | None = None


def evolve(state: Swarm, fact: SwarmFact, stamp: Stamp) -> Swarm:
    """Return the swarm after `fact`."""
    return replace(state, paused=fact if isinstance(fact, Paused) else None)


def decide(state: Swarm, fact: SwarmFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Paused) == (state.paused is not None):
        raise Rejected(f"the swarm is {'paused' if state.paused else 'running'} already")


SWARM = AggregateType("swarm", (Paused, Resumed), Swarm(), evolve, decide)
