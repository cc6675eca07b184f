"""An improvement: one APS process from its discovery to its landing, or to its end.

Rules
1. A status is derived from the facts by `TRANSITIONS`; a fact the table does not list is refused.
2. Requirements, design and change are finished only by the holder of the claim (its token is shown). So is
   what an agent from outside delivers, which is no change before the Developer made it one.
3. Verdicts name their evidence; a landing names the commit and the tree that were proven.
4. A refusal returns to the Developer at most `MAX_ATTEMPTS` times.
5. `retried` re-opens an end, except a landing.
6. Once blocked it waits from then on, however often the reason changes, until it is unblocked or decided. A
   wait for a budget is over too when somebody did what an engine was to be asked for.
7. How it stands to another is told once for each kind of relation, at any status, and changes none.
"""

from dataclasses import dataclass
from datetime import datetime

from events.escalation import Escalated, Waiting, decide_escalation, mark, waiting_of
from events.fact import AggregateType, Fact, Rejected, Stamp, replace
from events.improvement_facts import (
    FACTS,
    Abandoned,
    ArchitectureDesigned,
    BenefitMeasured,
    Blocked,
    ChangeApproved,
    ChangeDeclined,
    ChangeDelivered,
    ChangeDeployed,
    ChangeImplemented,
    ChangeRefuted,
    ChangeRolledBack,
    ChangeValidated,
    DeliveryRefused,
    DeploymentFailed,
    Discovered,
    ImprovementFact,
    Related,
    Reprioritised,
    RequirementsSpecified,
    Retried,
    RollbackRefused,
    RollbackRequested,
    Unblocked,
)
from events.lease import (
    Claim,
    LeaseFact,
    WorkClaimed,
    WorkReleased,
    WorkRenewed,
    decide_lease,
    evolve_claim,
    require_claim,
)
from schemas.findings import Site
from schemas.improvement import LeftOut, Relation, Status
from schemas.obstacle import Obstacle

MAX_ATTEMPTS = 4

S = Status
UNFINISHED = (
    S.INITIALIZED,
    S.REQUIREMENTS_COMPLETE,
    S.ARCHITECTURE_COMPLETE,
    S.IMPLEMENTATION_COMPLETE,
    S.TESTING_COMPLETE,
)
LANDED = (S.DEPLOYMENT_COMPLETE, S.PARTLY_LANDED)
ENDED = (S.DECLINED, S.ABANDONED, S.ROLLED_BACK)

TRANSITIONS: dict[type[Fact], dict[Status, Status]] = {
    RequirementsSpecified: {S.INITIALIZED: S.REQUIREMENTS_COMPLETE},
    ArchitectureDesigned: {S.REQUIREMENTS_COMPLETE: S.ARCHITECTURE_COMPLETE},
    ChangeDelivered: {S.ARCHITECTURE_COMPLETE: S.ARCHITECTURE_COMPLETE},
    DeliveryRefused: {S.ARCHITECTURE_COMPLETE: S.ARCHITECTURE_COMPLETE},
    ChangeImplemented: {S.ARCHITECTURE_COMPLETE: S.IMPLEMENTATION_COMPLETE},
    ChangeValidated: {S.IMPLEMENTATION_COMPLETE: S.TESTING_COMPLETE},
    ChangeRefuted: {S.IMPLEMENTATION_COMPLETE: S.ARCHITECTURE_COMPLETE},
    ChangeApproved: {S.TESTING_COMPLETE: S.APPROVED},
    ChangeDeclined: {S.TESTING_COMPLETE: S.DECLINED},
    ChangeDeployed: {S.APPROVED: S.DEPLOYMENT_COMPLETE},
    DeploymentFailed: {S.APPROVED: S.DEPLOYMENT_FAILED},
    RollbackRequested: {s: s for s in LANDED},
    RollbackRefused: {s: s for s in LANDED},
    ChangeRolledBack: dict.fromkeys((*LANDED, S.DEPLOYMENT_FAILED), S.ROLLED_BACK),
    BenefitMeasured: {s: s for s in LANDED},
    Retried: dict.fromkeys(ENDED, S.INITIALIZED),
    Abandoned: dict.fromkeys((*UNFINISHED, S.APPROVED), S.ABANDONED),
    Blocked: {s: s for s in (*UNFINISHED, S.APPROVED)},
    Unblocked: {s: s for s in (*UNFINISHED, S.APPROVED)},
    Reprioritised: {s: s for s in UNFINISHED},
    Related: {s: s for s in Status},
}
CLAIMED = (RequirementsSpecified, ArchitectureDesigned, ChangeDelivered, ChangeImplemented)


@dataclass(frozen=True)
class Improvement:
    """The state of an improvement: the facts that still hold, and what is derived from them."""

    status: Status | None = None
    discovered: Discovered | None = None
    discovered_at: datetime | None = None
    rank: int = 0
    requirements: RequirementsSpecified | None = None
    design: ArchitectureDesigned | None = None
    delivered: ChangeDelivered | None = None
    change: ChangeImplemented | None = None
    verdict: ChangeValidated | None = None
    refusals: tuple[ChangeRefuted, ...] = ()
    approval: ChangeApproved | None = None
    deployed: ChangeDeployed | None = None
    rollback: RollbackRequested | None = None
    rolled_back: ChangeRolledBack | None = None
    benefit: BenefitMeasured | None = None
    blocked: Blocked | None = None
    blocked_at: datetime | None = None
    told: Escalated | None = None
    relations: tuple[Related, ...] = ()
    reason: str = ""
    claim: Claim | None = None

    @property
    def ended(self) -> bool:
        """Whether no agent will do anything more without being asked."""
        return self.status in ENDED or self.status in LANDED

    @property
    def awaited_budget(self) -> str:
        """The budget that must have room before any engine is asked; empty where it waits for none."""
        return self.blocked.budget if self.blocked else ""

    @property
    def waits(self) -> tuple[Waiting, ...]:
        """What it waits for: whoever can unblock it, whoever holds its work."""
        held = waiting_of(self.claim)
        if self.blocked is None or self.blocked_at is None:
            return (held,) if held else ()
        obstacle = Obstacle.BUDGET if self.blocked.budget else Obstacle.PERSON
        told = Waiting(obstacle, self.blocked_at, self.blocked.reason, (self.blocked.needs,))
        return (told, held) if held else (told,)

    @property
    def escalated(self) -> Escalated | None:
        """That it waits too long, as long as it does."""
        return mark(self.waits, self.told)

    @property
    def leave_out(self) -> tuple[LeftOut, ...]:
        """All parts that the design and refusals asked to do without."""
        designed = self.design.leave_out if self.design else ()
        return (*designed, *(part for refusal in self.refusals for part in refusal.leave_out))

    @property
    def left_out_sites(self) -> tuple[Site, ...]:
        """The single sites among `leave_out`."""
        return tuple(part.site for part in self.leave_out if part.site is not None)


def _moved(state: Improvement, fact: Fact) -> Improvement:
    if state.status is None or type(fact) not in TRANSITIONS:
        return state
    status = TRANSITIONS[type(fact)][state.status]
    if isinstance(fact, ChangeDeployed) and fact.partly:
        status = Status.PARTLY_LANDED
    if not isinstance(fact, CLAIMED):
        return replace(state, status=status)
    return replace(state, status=status, claim=None, blocked=None if state.awaited_budget else state.blocked)


def evolve(state: Improvement, fact: ImprovementFact, stamp: Stamp) -> Improvement:  # noqa: C901, PLR0912 -- one case a fact, nothing else
    """Return the improvement after `fact`."""
    state = _moved(state, fact)
    match fact:
        case Discovered():
            return replace(
                state,
                status=Status.INITIALIZED,
                discovered=fact,
                discovered_at=stamp.time,
                rank=fact.rank,
            )
        case Reprioritised():
            return replace(state, rank=fact.rank)
        case RequirementsSpecified():
            return replace(state, requirements=fact)
        case ArchitectureDesigned():
            return replace(state, design=fact)
        case ChangeImplemented():
            return replace(state, change=fact, delivered=None)
        case ChangeDelivered() | DeliveryRefused():
            return replace(state, delivered=fact if isinstance(fact, ChangeDelivered) else None)
        case ChangeValidated():
            return replace(state, verdict=fact)
        case ChangeRefuted():
            return replace(state, refusals=(*state.refusals, fact), reason=fact.reason)
        case ChangeApproved():
            return replace(state, approval=fact, blocked=None)
        case ChangeDeclined() | Abandoned() | DeploymentFailed():
            return replace(state, reason=fact.reason, blocked=None)
        case ChangeDeployed():
            return replace(state, deployed=fact)
        case RollbackRequested():
            return replace(state, rollback=fact)
        case RollbackRefused():
            return replace(state, rollback=None, reason=fact.reason)
        case ChangeRolledBack():
            reason = state.rollback.reason if state.rollback else state.reason
            return replace(state, rolled_back=fact, rollback=None, reason=reason)
        case BenefitMeasured():
            return replace(state, benefit=fact)
        case Blocked():
            since = state.blocked_at if state.blocked else stamp.time
            return replace(state, blocked=fact, blocked_at=since)
        case Unblocked():
            return replace(state, blocked=None)
        case Escalated():
            return replace(state, told=fact)
        case Related():
            return replace(state, relations=(*state.relations, fact))
        case Retried():
            return Improvement(
                status=Status.INITIALIZED,
                discovered=state.discovered,
                discovered_at=state.discovered_at,
                rank=state.rank,
                relations=state.relations,
            )
        case WorkClaimed() | WorkRenewed() | WorkReleased():
            return replace(state, claim=evolve_claim(state.claim, fact, stamp))


def decide(state: Improvement, fact: ImprovementFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Discovered):
        if state.status is not None:
            raise Rejected("the improvement was discovered already")
        return
    if state.status is None:
        raise Rejected("there is no such improvement")
    if isinstance(fact, Escalated | WorkClaimed | WorkRenewed | WorkReleased):
        _decide_work(state, fact, now)
        return
    if state.status not in TRANSITIONS[type(fact)]:
        raise Rejected(f"{fact.name} is not possible while the improvement is {state.status.value}")
    if isinstance(fact, CLAIMED):
        require_claim(state.claim, fact.claim, now)
    _decide_details(state, fact)
    _decide_between(state, fact)


def _decide_between(state: Improvement, fact: ImprovementFact) -> None:
    match fact:
        case Related():
            _decide_relation(state, fact)
        case ChangeDelivered() | DeliveryRefused():
            _decide_delivery(state, fact)
        case _:
            return


def _decide_work(state: Improvement, fact: Escalated | LeaseFact, now: datetime) -> None:
    if isinstance(fact, Escalated):
        decide_escalation(state.waits, state.told, fact, now)
    else:
        decide_lease(state.claim, fact, now)


def _decide_details(state: Improvement, fact: ImprovementFact) -> None:
    match fact:
        case ChangeImplemented() if fact.attempt > MAX_ATTEMPTS:
            raise Rejected(f"the change was refused {MAX_ATTEMPTS} times; abandon it")
        case ChangeValidated() if not fact.gates or not fact.scenarios:
            raise Rejected("a change is validated with its evidence: gates and scenarios")
        case ChangeValidated() if not all(gate.passed for gate in fact.gates):
            raise Rejected("a change with an unmet gate is not validated")
        case ChangeValidated() if not all(scenario.passed for scenario in fact.scenarios):
            raise Rejected("a change with a failing scenario is not validated")
        case ChangeApproved() if state.verdict is None or fact.commit != state.verdict.commit:
            raise Rejected("only the commit that was proven can be approved")
        case ChangeDeployed() if state.approval is None:
            raise Rejected("only an approved change can be deployed")
        case RollbackRequested() if state.rollback is not None:
            raise Rejected("taking the change back was asked for already")
        case _:
            return


def _decide_delivery(state: Improvement, fact: ChangeDelivered | DeliveryRefused) -> None:
    if isinstance(fact, ChangeDelivered) == (state.delivered is not None):
        raise Rejected("what was delivered before is being looked at" if state.delivered else "nothing came")


def _decide_relation(state: Improvement, fact: Related) -> None:
    if fact.relation is Relation.UNRELATED:
        raise Rejected("that it is unrelated says nothing")
    if any((one.other, one.relation) == (fact.other, fact.relation) for one in state.relations):
        raise Rejected(f"that relation to {fact.other} is known")


IMPROVEMENT = AggregateType("improvement", FACTS, Improvement(), evolve, decide)
