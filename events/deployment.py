"""A deployment: changes put on the release branch, or one of them taken back, step by step.

Rules
1. `started` names what the branch must be moved from and to; nothing moves it from anywhere else.
2. It ends once: succeeded, or rolled_back to where it started (after `failed`).
3. A failed health check leads to `failed`, then `rolled_back` with the restored tree as proof.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal

from events.escalation import Escalated, Leased, decide_escalation
from events.fact import AggregateType, Fact, Rejected, Stamp
from events.lease import (
    LEASE_FACTS,
    LeaseFact,
    WorkClaimed,
    WorkReleased,
    WorkRenewed,
    decide_lease,
    evolve_claim,
)
from schemas.artefacts import ArtefactRef


class Started(Fact):
    """`branch` of the target goes from `expected` (empty: it does not exist) to `tip`."""

    name: ClassVar[str] = "started"
    kind: Literal["deploy", "rollback"]
    target: str
    scan: str
    improvements: tuple[str, ...]
    branch: str
    expected: str
    tip: str
    tree: str


class StepCompleted(Fact):
    """One step is done: prepare, apply, verify, promote or restore."""

    name: ClassVar[str] = "step_completed"
    step: str
    detail: str


class HealthChecked(Fact):
    """The target's health command was run on the deployed tree."""

    name: ClassVar[str] = "health_checked"
    command: str
    passed: bool
    exit_code: int
    output: ArtefactRef | None = None


class Succeeded(Fact):
    """The branch stands at `tip`."""

    name: ClassVar[str] = "succeeded"
    tip: str
    tree: str


class Failed(Fact):
    """The deployment did not hold; it is being taken back."""

    name: ClassVar[str] = "failed"
    reason: str


class RolledBack(Fact):
    """The branch stands where it stood before; `tree` proves it."""

    name: ClassVar[str] = "rolled_back"
    tip: str
    tree: str


DeploymentFact = (
    Started | StepCompleted | HealthChecked | Succeeded | Failed | RolledBack | Escalated | LeaseFact
)


@dataclass(frozen=True)
class Deployment(Leased):
    """The state of a deployment."""

    started: Started | None = None
    steps: tuple[str, ...] = ()
    health: HealthChecked | None = None
    failed: Failed | None = None
    ended: Succeeded | RolledBack | None = None


def evolve(state: Deployment, fact: DeploymentFact, stamp: Stamp) -> Deployment:
    """Return the deployment after `fact`."""
    match fact:
        case Started():
            return replace(state, started=fact)
        case StepCompleted():
            return replace(state, steps=(*state.steps, fact.step))
        case HealthChecked():
            return replace(state, health=fact)
        case Failed():
            return replace(state, failed=fact)
        case Succeeded() | RolledBack():
            return replace(state, ended=fact, claim=None)
        case Escalated():
            return replace(state, told=fact)
        case WorkClaimed() | WorkRenewed() | WorkReleased():
            return replace(state, claim=evolve_claim(state.claim, fact, stamp))


def decide(state: Deployment, fact: DeploymentFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Escalated | WorkClaimed | WorkRenewed | WorkReleased):
        _decide_work(state, fact, now)
        return
    if isinstance(fact, Started):
        if state.started is not None:
            raise Rejected("the deployment was started already")
        return
    if state.started is None:
        raise Rejected("there is no such deployment")
    if state.ended is not None:
        raise Rejected("the deployment is over")
    if isinstance(fact, Succeeded) and state.failed is not None:
        raise Rejected("a failed deployment cannot succeed; it is rolled back")
    if isinstance(fact, RolledBack) and state.failed is None:
        raise Rejected("only a failed deployment is rolled back; landed changes are taken back one by one")


def _decide_work(state: Deployment, fact: Escalated | LeaseFact, now: datetime) -> None:
    if isinstance(fact, Escalated):
        decide_escalation(state.waits, state.told, fact, now)
    else:
        decide_lease(state.claim, fact, now)


DEPLOYMENT = AggregateType(
    "deployment",
    (Started, StepCompleted, HealthChecked, Succeeded, Failed, RolledBack, Escalated, *LEASE_FACTS),
    Deployment(),
    evolve,
    decide,
)
