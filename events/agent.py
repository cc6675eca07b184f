"""An agent from outside: a program or a person that does the swarm's work by the API, and what it holds.

Rules
1. An agent is one token: it registers before it takes work, and anew after it has left.
2. It holds no more pieces of work than its capacity; `work_taken` tells all that it then holds, so that two
   claims at once cannot pass that.
3. What it says of its progress is its own word: nothing follows from it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from events.fact import AggregateType, Fact, Rejected, Stamp, replace

MOST = 20  # pieces of work one agent may hold at once


class Registered(Fact):
    """It offers to do the work of a role. `capabilities` are its own words for what it can do."""

    name: ClassVar[str] = "registered"
    title: str
    role: Literal["developer"]
    capabilities: tuple[str, ...] = ()
    capacity: Annotated[int, Field(ge=1, le=MOST)]


class WorkTaken(Fact):
    """It claimed an improvement's work; `holding` are all that it holds now."""

    name: ClassVar[str] = "work_taken"
    improvement: str
    holding: tuple[str, ...]


class Progressed(Fact):
    """It told how far it is with what it claimed under `claim`."""

    name: ClassVar[str] = "progressed"
    improvement: str
    claim: int
    percent: Annotated[int, Field(ge=0, le=100)]
    note: str


class Left(Fact):
    """It takes no more work."""

    name: ClassVar[str] = "left"
    reason: str


AgentFact = Registered | WorkTaken | Progressed | Left


@dataclass(frozen=True)
class OutsideAgent:
    """The state of an agent; `holding` is what it held when it claimed last."""

    registered: Registered | None = None
    left: Left | None = None
    holding: tuple[str, ...] = ()
    progress: Progressed | None = None

    @property
    def present(self) -> bool:
        """Whether it is registered now."""
        return self.registered is not None and self.left is None


def evolve(state: OutsideAgent, fact: AgentFact, stamp: Stamp) -> OutsideAgent:
    """Return the agent after `fact`."""
    match fact:
        case Registered():
            return replace(state, registered=fact, left=None)
        case WorkTaken():
            return replace(state, holding=fact.holding)
        case Progressed():
            return replace(state, progress=fact)
        case Left():
            return replace(state, left=fact)


def decide(state: OutsideAgent, fact: AgentFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Registered):
        if state.present:
            raise Rejected("the agent is registered already: it leaves first to register anew")
        return
    if state.registered is None or state.left is not None:
        raise Rejected("the agent is not registered")
    if isinstance(fact, WorkTaken):
        _decide_capacity(state.registered, fact)


def _decide_capacity(registered: Registered, fact: WorkTaken) -> None:
    if fact.improvement not in fact.holding:
        raise Rejected("what is taken is held")
    if len(fact.holding) > registered.capacity:
        raise Rejected(f"the agent holds as much as it said it can: {registered.capacity}")


AGENT = AggregateType("agent", (Registered, WorkTaken, Progressed, Left), OutsideAgent(), evolve, decide)
