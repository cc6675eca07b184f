"""How the golden story is told: facts in order, with what every improvement goes through."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from events import improvement_facts
from events.fact import Fact
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from schemas.artefacts import ArtefactRef
from schemas.findings import Site
from schemas.improvement import Component, GateResult, LeftOut, Requirement, ScenarioResult, StepResult
from schemas.risk import RiskClass

i = improvement_facts
BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
UNTIL = BEGAN + timedelta(hours=1)
SITE = Site(path="shelf/index.py", scope="Index.load", text="return dict(rows)")
PART = LeftOut(path=SITE.path, site=SITE, reason="test_load expects an Index to call dict")
FILE = LeftOut(path="shelf/store.py", reason="größere Änderung nötig")


@dataclass(frozen=True)
class Told:
    """One fact, who recorded it, and of which aggregate."""

    actor: str
    aggregate: str
    id: str
    fact: Fact


@dataclass
class Story:
    """What was told so far; counts versions, because a claim is shown by the version of its fact."""

    told: list[Told] = field(default_factory=list)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def now(self) -> datetime:
        """When the last fact happens: each happens a second after the one before."""
        return self.at(len(self.told))

    def at(self, number: int) -> datetime:
        """When the fact of that number happens, from 1."""
        return BEGAN + timedelta(seconds=number)

    def tell(self, actor: str, aggregate: str, id: str, *facts: Fact) -> int:
        """Tell facts of one aggregate; return its version after them."""
        for fact in facts:
            self.told.append(Told(actor, aggregate, id, fact))
            self.versions[aggregate, id] += 1
        return self.versions[aggregate, id]

    def claim(self, actor: str, aggregate: str, id: str, work: str) -> int:
        """Claim work; return the token."""
        return self.tell(actor, aggregate, id, WorkClaimed(agent=actor, work=work, lease_until=UNTIL))

    def hesitate(self, actor: str, aggregate: str, id: str, work: str) -> None:
        """Claim work, ask for more time, and give it back."""
        claim = self.claim(actor, aggregate, id, work)
        renewed = WorkRenewed(claim=claim, lease_until=UNTIL + timedelta(minutes=10))
        self.tell(actor, aggregate, id, renewed, WorkReleased(claim=claim, reason="the service stops"))


def ref(name: str, media_type: str = "text/plain") -> ArtefactRef:
    """Return a reference whose digest is that of the name."""
    return ArtefactRef(
        sha256=sha256(name.encode()).hexdigest(), size=len(name), media_type=media_type, name=name
    )


def commit(name: str) -> str:
    """Return an object id that follows from the name."""
    return sha256(name.encode()).hexdigest()[:40]


def designed(told: Story, id: str, rule: str, rank: int, risk: RiskClass) -> None:
    """Tell an improvement from its discovery to its design."""
    discovered = i.Discovered(
        target="shelf",
        scan="scan-1",
        base=commit("base"),
        rank=rank,
        source="ruff",
        rule=rule,
        title=f"Fix {rule}",
        why="A reader asks what it is for.",
        category="readability",
        expected=4,
        files=("shelf/index.py", "shelf/store.py"),
        sites=ref(f"{id}-sites.json", "application/json"),
        inputs=sha256(id.encode()).hexdigest(),
    )
    told.tell("pm-2", "improvement", id, discovered)
    claim = told.claim("pm-2", "improvement", id, "requirements")
    specified = i.RequirementsSpecified(
        claim=claim,
        requirements=(Requirement(id="R1", text=f"No finding of {rule} is left"),),
        feature=ref(f"{id}.feature", "text/x-gherkin"),
        document=ref(f"{id}_requirements.aps.yaml", "application/yaml"),
    )
    told.tell("pm-2", "improvement", id, specified)
    claim = told.claim("architect-1", "improvement", id, "architecture")
    index = Component(
        module="shelf.index", path="shelf/index.py", touched=True, fan_in=2, imports=("shelf.store",)
    )
    designed = i.ArchitectureDesigned(
        claim=claim,
        risk=risk,
        reasons=("no public name changes",),
        components=(index, Component(module="shelf.store", path="shelf/store.py", touched=False, fan_in=1)),
        view=ref(f"{id}.c4"),
        decision=ref(f"{id}-decision.md", "text/markdown"),
        document=ref(f"{id}_architecture.aps.yaml", "application/yaml"),
    )
    told.tell("architect-1", "improvement", id, designed)


def implemented(told: Story, id: str, attempt: int = 1) -> None:
    claim = told.claim("developer-1", "improvement", id, "implementation")
    change = i.ChangeImplemented(
        claim=claim,
        attempt=attempt,
        run=f"{id}-run-{attempt}",
        base=commit("base"),
        commit=commit(f"{id} {attempt}"),
        tree=commit(f"{id} tree {attempt}"),
        patch=ref(f"{id}-{attempt}.patch", "text/x-diff"),
        recipe=ref(f"{id}-{attempt}.json", "application/json"),
        files=("shelf/index.py",),
        fixed=4 - attempt,
        remaining=attempt,
        tests="none needed: the behaviour is the same",
        document=ref(f"{id}_implementation.aps.yaml", "application/yaml"),
    )
    told.tell("developer-1", "improvement", id, change)


def validated(told: Story, id: str) -> None:
    suite = GateResult(
        gate="suite",
        version="1",
        passed=True,
        evidence="the same tests pass as at the base",
        artefact=ref("suite.json", "application/json"),
    )
    gone = GateResult(gate="findings_gone", version="1", passed=True, evidence="2 of 4 are gone")
    step = StepResult(keyword="Then", text="no finding is left", passed=True, evidence="0 findings")
    validated = i.ChangeValidated(
        batch="batch-1",
        parent=commit("base"),
        commit=commit(f"{id} stacked"),
        tree=commit(f"{id} stacked tree"),
        files=("shelf/index.py",),
        fixed=2,
        left_out=(PART, FILE),
        gates=(suite, gone),
        scenarios=(ScenarioResult(name="The findings are gone", steps=(step,)),),
        report=ref(f"{id}-report.json", "application/json"),
        document=ref(f"{id}_test_results.aps.yaml", "application/yaml"),
    )
    told.tell("qa-1", "improvement", id, validated)
