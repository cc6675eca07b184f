"""The parts of an improvement that several facts share."""

from enum import StrEnum

from schemas.artefacts import ArtefactRef
from schemas.base import Frozen
from schemas.findings import Site


class Status(StrEnum):
    """Where an improvement stands. Only ever derived from its facts, never written."""

    INITIALIZED = "initialized"
    REQUIREMENTS_COMPLETE = "requirements_complete"
    ARCHITECTURE_COMPLETE = "architecture_complete"
    IMPLEMENTATION_COMPLETE = "implementation_complete"
    TESTING_COMPLETE = "testing_complete"
    APPROVED = "approved"
    DEPLOYMENT_COMPLETE = "deployment_complete"
    PARTLY_LANDED = "partly_landed"
    DEPLOYMENT_FAILED = "deployment_failed"
    DECLINED = "declined"
    ABANDONED = "abandoned"
    ROLLED_BACK = "rolled_back"


class Relation(StrEnum):
    """How one improvement stands to another of the same target."""

    DUPLICATE = "duplicate"
    SUPERSEDES = "supersedes"
    SUPERSEDED_BY = "superseded_by"
    DEPENDS_ON = "depends_on"
    REQUIRED_BY = "required_by"
    CONFLICTS = "conflicts"
    RELATED = "related"
    UNRELATED = "unrelated"

    @property
    def inverse(self) -> "Relation":
        """How the other stands to the one."""
        return _INVERSE.get(self, self)


_INVERSE = {
    Relation.SUPERSEDES: Relation.SUPERSEDED_BY,
    Relation.SUPERSEDED_BY: Relation.SUPERSEDES,
    Relation.DEPENDS_ON: Relation.REQUIRED_BY,
    Relation.REQUIRED_BY: Relation.DEPENDS_ON,
}


class Requirement(Frozen):
    """One thing that must hold afterwards; `id` such as R1."""

    id: str
    text: str


class Component(Frozen):
    """A C4 component: a module touched or one that knows it. `fan_in` counts importing modules."""

    module: str
    path: str
    touched: bool
    fan_in: int
    imports: tuple[str, ...] = ()


class LeftOut(Frozen):
    """A part of a change that had to be left out, and why; `site` is empty for a whole file."""

    path: str
    site: Site | None = None
    reason: str


class Declared(Frozen):
    """What a plan says beforehand that its change takes away, so that gates let it pass.

    `removes` names places (`path::function`, `path` alone for its module level) whose log lines, raised
    errors or checks may go; `irreversible` the migrations, by path, that cannot be taken back.
    """

    removes: tuple[str, ...] = ()
    irreversible: tuple[str, ...] = ()


class GateResult(Frozen):
    """The verdict of one gate. `evidence` is what a person reads; `artefact` the whole of it.

    `person` says why a person decides although the gate passed; empty where none need to.
    """

    gate: str
    version: str
    passed: bool
    evidence: str
    artefact: ArtefactRef | None = None
    person: str = ""


class StepResult(Frozen):
    """One executed Gherkin step."""

    keyword: str
    text: str
    passed: bool
    evidence: str


class ScenarioResult(Frozen):
    """One executed scenario."""

    name: str
    steps: tuple[StepResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return all(step.passed for step in self.steps)
