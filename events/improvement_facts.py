"""The facts of an improvement. The rules that admit them stand in `events.improvement`."""

from typing import ClassVar

from events.escalation import Escalated
from events.fact import Fact
from events.lease import LEASE_FACTS, LeaseFact
from schemas.artefacts import ArtefactRef
from schemas.improvement import (
    Component,
    Declared,
    GateResult,
    LeftOut,
    Relation,
    Requirement,
    ScenarioResult,
)
from schemas.risk import RiskClass


class Discovered(Fact):
    """Something worth improving was found. `sites` are the places, in an artefact; `expected` how many
    findings should go; `inputs` a digest of the files and the tool, by which a refusal is remembered."""

    name: ClassVar[str] = "discovered"
    target: str
    scan: str
    base: str
    rank: int
    source: str
    rule: str
    title: str
    why: str
    category: str
    expected: int
    files: tuple[str, ...]
    sites: ArtefactRef
    inputs: str


class Reprioritised(Fact):
    """Its rank was changed; `reason` says by what."""

    name: ClassVar[str] = "reprioritised"
    rank: int
    reason: str


class RequirementsSpecified(Fact):
    """PM wrote what must hold, and scenarios that are executed later (`feature`: Gherkin)."""

    name: ClassVar[str] = "requirements_specified"
    claim: int
    requirements: tuple[Requirement, ...]
    feature: ArtefactRef
    document: ArtefactRef | None = None


class ArchitectureDesigned(Fact):
    """Architect drew what is touched (`view`: C4 component view) and classed its risk. `leave_out` are
    sites that no test runs and whose fix is not known to be safe; `declared` is what a plan takes away."""

    name: ClassVar[str] = "architecture_designed"
    claim: int
    risk: RiskClass
    reasons: tuple[str, ...]
    components: tuple[Component, ...]
    leave_out: tuple[LeftOut, ...] = ()
    declared: Declared = Declared()
    view: ArtefactRef
    decision: ArtefactRef | None = None
    document: ArtefactRef | None = None


class ChangeDelivered(Fact):
    """An agent from outside wrote the change on the base. Nothing of it is believed: the Developer makes the
    commit of `patch`, or refuses it, and QA proves it as any other. `proofs` names for each behaviour the
    tests that show it, by the agent's word."""

    name: ClassVar[str] = "change_delivered"
    claim: int
    agent: str
    patch: ArtefactRef
    summary: str
    proofs: dict[str, tuple[str, ...]]


class DeliveryRefused(Fact):
    """Developer could make no commit of what an agent delivered."""

    name: ClassVar[str] = "delivery_refused"
    agent: str
    reason: str


class ChangeImplemented(Fact):
    """Developer wrote the change as one commit on `base`. `recipe` repeats it; `tests` says which tests
    were added, or why none are needed; `run` names the engine call that wrote it."""

    name: ClassVar[str] = "change_implemented"
    claim: int
    attempt: int
    run: str
    base: str
    commit: str
    tree: str
    patch: ArtefactRef
    recipe: ArtefactRef
    files: tuple[str, ...]
    fixed: int
    remaining: int
    tests: str
    document: ArtefactRef | None = None


class ChangeValidated(Fact):
    """QA proved the change as it stands in its batch: `commit` on `parent`, all gates passed."""

    name: ClassVar[str] = "change_validated"
    batch: str
    parent: str
    commit: str
    tree: str
    files: tuple[str, ...]
    fixed: int
    left_out: tuple[LeftOut, ...]
    gates: tuple[GateResult, ...]
    scenarios: tuple[ScenarioResult, ...]
    report: ArtefactRef
    document: ArtefactRef | None = None


class ChangeRefuted(Fact):
    """QA proved that the change does harm. `bug_report` says what broke; `leave_out` what to do without.

    `nothing_left` is true when no part of the change can be kept.
    """

    name: ClassVar[str] = "change_refuted"
    batch: str
    attempt: int
    reason: str
    bug_report: ArtefactRef
    leave_out: tuple[LeftOut, ...]
    nothing_left: bool
    document: ArtefactRef | None = None


class ChangeApproved(Fact):
    """The change may be deployed: by policy, or by the person named as actor."""

    name: ClassVar[str] = "change_approved"
    commit: str
    reason: str


class ChangeDeclined(Fact):
    """The change will not be deployed."""

    name: ClassVar[str] = "change_declined"
    reason: str


class ChangeDeployed(Fact):
    """The change stands on the release branch."""

    name: ClassVar[str] = "change_deployed"
    deployment: str
    branch: str
    commit: str
    tree: str
    partly: bool
    document: ArtefactRef | None = None


class DeploymentFailed(Fact):
    """The change was taken back at once because deploying it failed."""

    name: ClassVar[str] = "deployment_failed"
    deployment: str
    reason: str


class RollbackRequested(Fact):
    """DevOps or a person asked to take the landed change back."""

    name: ClassVar[str] = "rollback_requested"
    reason: str


class ChangeRolledBack(Fact):
    """The change is gone from the branch: `commit` and `tree` are what stands there now."""

    name: ClassVar[str] = "change_rolled_back"
    deployment: str
    commit: str
    tree: str
    method: str


class RollbackRefused(Fact):
    """The landed change could not be taken back without harm; `reason` names the conflict."""

    name: ClassVar[str] = "rollback_refused"
    reason: str


class BenefitMeasured(Fact):
    """What the landed change was worth, measured on the deployed tree; `report` counts all rules there."""

    name: ClassVar[str] = "benefit_measured"
    measure: str
    before: int
    after: int
    report: ArtefactRef


DRY_RUN = "a dry run lands nothing"  # why a proven change is blocked until a run that may land it


class Blocked(Fact):
    """The work cannot go on; `needs` says who or what can unblock it.

    `budget` is the one that it waits for, empty where it waits for a person.
    """

    name: ClassVar[str] = "blocked"
    reason: str
    needs: str
    budget: str = ""


class Unblocked(Fact):
    """The obstacle is gone."""

    name: ClassVar[str] = "unblocked"
    reason: str


class Related(Fact):
    """It was compared with the improvement `other` of its target, and how it stands to that is `relation`.

    `evidence` are words of both; `judged_by` names the engine, or `rules`, and `run` the engine's call. Both
    improvements tell it, each from its side.
    """

    name: ClassVar[str] = "related"
    other: str
    relation: Relation
    reason: str
    evidence: tuple[str, ...] = ()
    judged_by: str
    run: str = ""


class Retried(Fact):
    """Somebody asked to try again from the start."""

    name: ClassVar[str] = "retried"
    reason: str


class Abandoned(Fact):
    """Nothing of the change can be kept, or it is no longer wanted."""

    name: ClassVar[str] = "abandoned"
    reason: str


ImprovementFact = (
    Discovered
    | Reprioritised
    | RequirementsSpecified
    | ArchitectureDesigned
    | ChangeDelivered
    | DeliveryRefused
    | ChangeImplemented
    | ChangeValidated
    | ChangeRefuted
    | ChangeApproved
    | ChangeDeclined
    | ChangeDeployed
    | DeploymentFailed
    | RollbackRequested
    | ChangeRolledBack
    | RollbackRefused
    | BenefitMeasured
    | Blocked
    | Unblocked
    | Related
    | Retried
    | Abandoned
    | Escalated
    | LeaseFact
)

FACTS: tuple[type[Fact], ...] = (
    Discovered,
    Reprioritised,
    RequirementsSpecified,
    ArchitectureDesigned,
    ChangeDelivered,
    DeliveryRefused,
    ChangeImplemented,
    ChangeValidated,
    ChangeRefuted,
    ChangeApproved,
    ChangeDeclined,
    ChangeDeployed,
    DeploymentFailed,
    RollbackRequested,
    ChangeRolledBack,
    RollbackRefused,
    BenefitMeasured,
    Blocked,
    Unblocked,
    Related,
    Retried,
    Abandoned,
    Escalated,
    *LEASE_FACTS,
)
