"""What the Developer does whenever something happened.

Whenever a design is ready or its wait over, the change is implemented. Whenever an agent from outside
delivered one, that is made a commit, or refused and implemented. Whenever QA refused a change, it is
implemented again without the parts that did harm, or abandoned when nothing of it is left.
"""

from dataclasses import dataclass

from events.fact import Fact
from events.improvement import MAX_ATTEMPTS, Improvement
from events.improvement_facts import ArchitectureDesigned, ChangeDelivered, ChangeRefuted, Unblocked
from schemas.improvement import Status


@dataclass(frozen=True)
class Implement:
    """Write the change of an improvement."""

    improvement: str


@dataclass(frozen=True)
class TakeOver:
    """Make a commit of what was delivered for an improvement."""

    improvement: str


@dataclass(frozen=True)
class Abandon:
    """Give the improvement up, for a reason."""

    improvement: str
    reason: str


def whenever(id: str, fact: Fact, state: Improvement) -> Implement | TakeOver | Abandon | None:
    """Return the work that `fact` asks for in the state that holds now; None when it is done already."""
    if not isinstance(fact, ArchitectureDesigned | ChangeDelivered | ChangeRefuted | Unblocked):
        return None
    if state.status is not Status.ARCHITECTURE_COMPLETE or state.awaited_budget:
        return None
    if hopeless := why_hopeless(state):
        return Abandon(id, hopeless)
    return TakeOver(id) if state.delivered is not None else Implement(id)


def why_hopeless(state: Improvement) -> str:
    """Say why no other attempt is made after the refusals there were; empty where one is."""
    if not state.refusals:
        return ""
    last = state.refusals[-1]
    if last.nothing_left:
        return last.reason
    if len(state.refusals) >= MAX_ATTEMPTS:
        return f"refused {MAX_ATTEMPTS} times; the last time: {last.reason}"
    return ""
