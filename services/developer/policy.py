"""What the Developer does whenever something happened.

Whenever a design is ready, the change is implemented. Whenever QA refused a change, it is implemented
again without the parts that did harm, or abandoned when nothing of it is left.
"""

from dataclasses import dataclass

from events.fact import Fact
from events.improvement import MAX_ATTEMPTS, Improvement
from events.improvement_facts import ArchitectureDesigned, ChangeRefuted
from schemas.improvement import Status


@dataclass(frozen=True)
class Implement:
    """Write the change of an improvement."""

    improvement: str


@dataclass(frozen=True)
class Abandon:
    """Give the improvement up, for a reason."""

    improvement: str
    reason: str


def whenever(id: str, fact: Fact, state: Improvement) -> Implement | Abandon | None:
    """Return the work that `fact` asks for in the state that holds now; None when it is done already."""
    if not isinstance(fact, ArchitectureDesigned | ChangeRefuted):
        return None
    if state.status is not Status.ARCHITECTURE_COMPLETE:
        return None
    if not state.refusals:
        return Implement(id)
    last = state.refusals[-1]
    if last.nothing_left:
        return Abandon(id, last.reason)
    if len(state.refusals) >= MAX_ATTEMPTS:
        return Abandon(id, f"refused {MAX_ATTEMPTS} times; the last time: {last.reason}")
    return Implement(id)
