"""What a person can decide about an improvement, as facts, and in words why it cannot be."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from events.fact import Fact, Rejected
from events.improvement import IMPROVEMENT, TRANSITIONS, Improvement
from events.improvement_facts import (
    ChangeApproved,
    ChangeDeclined,
    Reprioritised,
    Retried,
    RollbackRequested,
)


class Decision(StrEnum):
    """What is decided; a change of rank is no decision but an order."""

    APPROVE = "approve"
    DECLINE = "decline"
    ROLL_BACK = "rollback"
    RETRY = "retry"


def _approved(state: Improvement, reason: str) -> Fact:
    return ChangeApproved(commit=state.verdict.commit if state.verdict else "", reason=reason)


FACTS: dict[Decision, Callable[[Improvement, str], Fact]] = {
    Decision.APPROVE: _approved,
    Decision.DECLINE: lambda _, reason: ChangeDeclined(reason=reason),
    Decision.ROLL_BACK: lambda _, reason: RollbackRequested(reason=reason),
    Decision.RETRY: lambda _, reason: Retried(reason=reason),
}
ASKED: dict[type[Fact], str] = {
    ChangeApproved: "approved",
    ChangeDeclined: "declined",
    RollbackRequested: "taken back",
    Retried: "tried again",
    Reprioritised: "ranked anew",
}


def possible(state: Improvement, now: datetime) -> tuple[Decision, ...]:
    """Return what the rules admit in this state."""
    return tuple(one for one in Decision if _admits(state, FACTS[one](state, "asked"), now))


def refusal(state: Improvement, fact: Fact, refused: Rejected) -> str:
    """Return in a person's words why an improvement cannot be decided about so."""
    if state.status is not None and state.status not in TRANSITIONS[type(fact)]:
        return f"cannot be {ASKED[type(fact)]} while it is {state.status.value.replace('_', ' ')}"
    return f"cannot be decided so: {refused}"


def _admits(state: Improvement, fact: Fact, now: datetime) -> bool:
    try:
        IMPROVEMENT.decide(state, fact, now)
    except Rejected:
        return False
    return True
