"""The documentation's example: one improvement from discovery to landing, refused once on the way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from events.envelope import NO_HASH, Cause, envelop
from events.fact import Stamp
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import (
    ArchitectureDesigned,
    BenefitMeasured,
    ChangeApproved,
    ChangeDeployed,
    ChangeImplemented,
    ChangeRefuted,
    ChangeValidated,
    Discovered,
    ImprovementFact,
    RequirementsSpecified,
)
from events.lease import WorkClaimed, WorkRenewed
from events.store import Recorded
from events.subjects import Address
from schemas.artefacts import ArtefactRef
from schemas.findings import Site
from schemas.improvement import Component, GateResult, LeftOut, Requirement, ScenarioResult, StepResult
from schemas.risk import RiskClass

ID = "C408-dict-literals"
BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FEATURE = """Feature: Write dict literals
  Scenario: The findings are gone
    Given the source at the base commit
    When the change is applied
    Then no finding of C408 is left in the touched files
    And every test that passed before passes
"""
SITE = Site(path="src/shelf/index.py", scope="Index.load", text="return dict(rows)")
PART = LeftOut(path=SITE.path, site=SITE, reason="test_load expects an Index to call dict")


def ref(name: str, media_type: str = "text/plain") -> ArtefactRef:
    """Return a reference whose digest is that of the name."""
    return ArtefactRef(
        sha256=sha256(name.encode()).hexdigest(), size=len(name), media_type=media_type, name=name
    )


def commit(name: str) -> str:
    """Return a made-up object id."""
    return sha256(name.encode()).hexdigest()[:40]


def _claimed(agent: str, work: str, at: datetime) -> WorkClaimed:
    return WorkClaimed(agent=agent, work=work, lease_until=at + timedelta(minutes=10))


def _implemented(claim: int, attempt: int, fixed: int) -> ChangeImplemented:
    return ChangeImplemented(
        claim=claim,
        attempt=attempt,
        run=f"run-{attempt}",
        base=commit("base"),
        commit=commit(f"change {attempt}"),
        tree=commit(f"tree {attempt}"),
        patch=ref(f"change-{attempt}.patch", "text/x-diff"),
        recipe=ref(f"recipe-{attempt}.json", "application/json"),
        files=("src/shelf/index.py", "src/shelf/store.py"),
        fixed=fixed,
        remaining=4 - fixed,
        tests="none needed: the behaviour is the same and the touched lines are covered",
        document=ref(f"{ID}_implementation.aps.yaml", "application/yaml"),
    )


DISCOVERED = Discovered(
    target="shelf",
    scan="scan-1",
    base=commit("base"),
    rank=3,
    source="ruff",
    rule="C408",
    title="Write dict literals instead of dict()",
    why="A literal is read at a glance and needs no look-up of a name.",
    category="readability",
    expected=4,
    files=("src/shelf/index.py", "src/shelf/store.py"),
    sites=ref("sites.json", "application/json"),
    inputs=commit("inputs"),
)
SPECIFIED = RequirementsSpecified(
    claim=2,
    requirements=(
        Requirement(id="R1", text="No finding of C408 is left in the touched files"),
        Requirement(id="R2", text="The suite is no worse than the baseline"),
    ),
    feature=ref(f"{ID}.feature", "text/x-gherkin"),
    document=ref(f"{ID}_requirements.aps.yaml", "application/yaml"),
)
DESIGNED = ArchitectureDesigned(
    claim=4,
    risk=RiskClass.LOW,
    reasons=("no public name changes", "every touched line is covered"),
    components=(
        Component(
            module="shelf.index",
            path="src/shelf/index.py",
            touched=True,
            fan_in=2,
            imports=("shelf.store",),
        ),
        Component(module="shelf.store", path="src/shelf/store.py", touched=True, fan_in=1),
        Component(module="shelf.cli", path="src/shelf/cli.py", touched=False, fan_in=0),
    ),
    view=ref("components.c4", "text/plain"),
    document=ref(f"{ID}_architecture.aps.yaml", "application/yaml"),
)
REFUTED = ChangeRefuted(
    batch="batch-1",
    attempt=1,
    reason="tests/test_index.py::test_load fails with the change and passes without it",
    bug_report=ref("bug-report.md", "text/markdown"),
    leave_out=(PART,),
    nothing_left=False,
    document=ref(f"{ID}_bug_report.aps.yaml", "application/yaml"),
)
VALIDATED = ChangeValidated(
    batch="batch-2",
    parent=commit("parent"),
    commit=commit("stacked"),
    tree=commit("stacked tree"),
    files=("src/shelf/index.py", "src/shelf/store.py"),
    fixed=3,
    left_out=(PART,),
    gates=(
        GateResult(
            gate="suite",
            version="1",
            passed=True,
            evidence="the same tests pass as at the base",
            artefact=ref("suite.json", "application/json"),
        ),
        GateResult(gate="findings_gone", version="1", passed=True, evidence="3 of 4 are gone, 1 left out"),
    ),
    scenarios=(
        ScenarioResult(
            name="The findings are gone",
            steps=(
                StepResult(
                    keyword="Given", text="the source at the base commit", passed=True, evidence="checked out"
                ),
                StepResult(
                    keyword="When",
                    text="the change is applied",
                    passed=True,
                    evidence="no conflict",
                ),
                StepResult(
                    keyword="Then",
                    text="no finding of C408 is left in the touched files",
                    passed=True,
                    evidence="0 findings but the part left out",
                ),
                StepResult(
                    keyword="And",
                    text="every test that passed before passes",
                    passed=True,
                    evidence="see the gate suite",
                ),
            ),
        ),
    ),
    report=ref("report.json", "application/json"),
    document=ref(f"{ID}_test_results.aps.yaml", "application/yaml"),
)
DEPLOYED = ChangeDeployed(
    deployment="deployment-1",
    branch="aps/improved",
    commit=commit("stacked"),
    tree=commit("stacked tree"),
    partly=True,
    document=ref(f"{ID}_deployment.aps.yaml", "application/yaml"),
)


def moment(minute: int) -> datetime:
    """Return the time so many minutes after the beginning."""
    return BEGAN + timedelta(minutes=minute)


FACTS: tuple[ImprovementFact, ...] = (
    DISCOVERED,
    _claimed("pm-1", "requirements", moment(1)),
    SPECIFIED,
    _claimed("architect-1", "architecture", moment(3)),
    DESIGNED,
    _claimed("developer-1", "implementation", moment(5)),
    WorkRenewed(claim=6, lease_until=moment(25)),
    _implemented(6, 1, 4),
    REFUTED,
    _claimed("developer-2", "implementation", moment(9)),
    _implemented(10, 2, 3),
    VALIDATED,
    ChangeApproved(commit=commit("stacked"), reason="risk low is within the autonomy medium"),
    DEPLOYED,
    BenefitMeasured(measure="findings", before=4, after=1, report=ref("findings.json")),
)


def recorded(facts: tuple[ImprovementFact, ...] = FACTS, id: str = ID) -> tuple[Recorded, ...]:
    """Return the facts as events on a log, a minute apart, each admitted by the rules."""
    return tuple(_recorded(facts, id))


def _recorded(facts: tuple[ImprovementFact, ...], id: str) -> Iterator[Recorded]:
    cause = Cause("example", "aps://example", "00000000-0000-4000-8000-000000000000")
    state, previous = IMPROVEMENT.initial, NO_HASH
    for index, fact in enumerate(facts):
        at = moment(index)
        IMPROVEMENT.decide(state, fact, at)
        state = IMPROVEMENT.evolve(state, fact, Stamp(index + 1, at, cause.actor))
        address = Address("improvement", id, fact.name)
        envelope = envelop(fact, address, index + 1, previous, cause, at)
        previous = envelope.hash
        yield Recorded(index + 1, envelope)


def state_after(count: int, facts: tuple[ImprovementFact, ...] = FACTS) -> Improvement:
    """Return the state after the first `count` facts."""
    stamps = (Stamp(index + 1, moment(index), "example") for index in range(count))
    return IMPROVEMENT.fold(zip(facts[:count], stamps, strict=True))


def after(fact: ImprovementFact) -> tuple[Improvement, Improvement, datetime]:
    """Return the states before and after a fact of the example, and its time."""
    count = FACTS.index(fact)
    return state_after(count), state_after(count + 1), moment(count)
