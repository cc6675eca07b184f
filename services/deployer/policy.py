"""What the deployer does whenever something happened, and in what order changes stand on the branch."""

from dataclasses import dataclass

from events.fact import Fact
from events.improvement import LANDED, Improvement
from events.improvement_facts import ChangeApproved, ChangeDeclined, RollbackRequested
from schemas.improvement import Status


@dataclass(frozen=True)
class Deploy:
    """Put the approved changes of a batch on the branch."""

    batch: str


@dataclass(frozen=True)
class TakeBack:
    """Take landed changes back."""

    target: str


def whenever(fact: Fact, state: Improvement) -> Deploy | TakeBack | None:
    """Return the work that `fact` asks for in the state that holds now; None when it is done already."""
    match fact:
        case ChangeApproved() if state.status is Status.APPROVED and state.verdict is not None:
            return Deploy(state.verdict.batch)
        case ChangeDeclined() if state.verdict is not None:
            return Deploy(state.verdict.batch)
        case RollbackRequested() if state.rollback is not None and state.discovered is not None:
            return TakeBack(state.discovered.target)
        case _:
            return None


def decided(states: dict[str, Improvement]) -> bool:
    """Whether every proven member of a batch was decided: approved, declined, or left to a person."""
    return all(s.status is not Status.TESTING_COMPLETE or s.blocked is not None for s in states.values())


def deployable(order: tuple[str, ...], states: dict[str, Improvement]) -> tuple[str, ...]:
    """Return the approved members, in stacking order."""
    return tuple(id for id in order if states[id].status is Status.APPROVED)


def landed(order: tuple[str, ...], states: dict[str, Improvement]) -> tuple[str, ...]:
    """Return the members that stand on the branch, in stacking order."""
    return tuple(id for id in order if states[id].status in LANDED)
