"""Facts of one improvement's life, for tests of the views."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from events import batch, deployment, improvement_facts, run, target
from events.envelope import Cause
from events.fact import Fact
from events.lease import WorkClaimed
from events.store import Batch, EventStore
from schemas.artefacts import ArtefactRef
from schemas.improvement import Requirement
from schemas.risk import RiskClass

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ARTEFACT = ArtefactRef(sha256="a" * 64, size=1, media_type="text/plain", name="a.txt")
i = improvement_facts
Told = tuple[str, str, Fact]


class Clock:
    """A second later at every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def because(number: int) -> Cause:
    return Cause(actor="pm", source="/test", correlation=str(UUID(int=number)))


def claimed(agent: str = "pm-1", work: str = "requirements", seconds: int = 60) -> WorkClaimed:
    return WorkClaimed(agent=agent, work=work, lease_until=START + timedelta(seconds=seconds))


def discovered(rank: int = 1, title: str = "Remove unused imports", **other: object) -> i.Discovered:
    fields: dict[str, object] = {
        "target": "toolz",
        "scan": "s1",
        "base": "b" * 40,
        "rank": rank,
        "source": "ruff",
        "rule": "F401",
        "title": title,
        "why": "they slow the import",
        "category": "clarity",
        "expected": 3,
        "files": ("a.py", "b.py"),
        "sites": ARTEFACT,
        "inputs": "c" * 64,
    }
    return i.Discovered.model_validate(fields | other)


def specified(claim: int = 2) -> i.RequirementsSpecified:
    return i.RequirementsSpecified(
        claim=claim, requirements=(Requirement(id="R1", text="none is left"),), feature=ARTEFACT
    )


def designed(claim: int = 4) -> i.ArchitectureDesigned:
    return i.ArchitectureDesigned(
        claim=claim, risk=RiskClass.LOW, reasons=("private",), components=(), view=ARTEFACT
    )


def implemented(claim: int = 6, attempt: int = 1) -> i.ChangeImplemented:
    return i.ChangeImplemented(
        claim=claim,
        attempt=attempt,
        run="r1",
        base="b" * 40,
        commit="d" * 40,
        tree="e" * 40,
        patch=ARTEFACT,
        recipe=ARTEFACT,
        files=("a.py",),
        fixed=2,
        remaining=1,
        tests="none needed: behaviour is the same",
    )


def refuted() -> i.ChangeRefuted:
    return i.ChangeRefuted(
        batch="batch-1",
        attempt=1,
        reason="test_a fails",
        bug_report=ARTEFACT,
        leave_out=(),
        nothing_left=False,
    )


def validated() -> i.ChangeValidated:
    return i.ChangeValidated(
        batch="batch-1",
        parent="b" * 40,
        commit="f" * 40,
        tree="e" * 40,
        files=("a.py",),
        fixed=2,
        left_out=(),
        gates=(),
        scenarios=(),
        report=ARTEFACT,
    )


def deployed() -> i.ChangeDeployed:
    return i.ChangeDeployed(
        deployment="dep-1", branch="aps/improved", commit="f" * 40, tree="e" * 40, partly=False
    )


def registered() -> target.Registered:
    return target.Registered(path="/srv/toolz", title="toolz", origin="sdist:toolz==1.2.0")


def scan_requested(scan: str = "s1") -> target.ScanRequested:
    return target.ScanRequested(
        scan=scan,
        base="b" * 40,
        branch="main",
        rules=("F",),
        engine="deterministic",
        limit=0,
        dry_run=False,
        look_only=False,
    )


def scanned(claim: int = 3) -> target.Scanned:
    return target.Scanned(
        scan="s1",
        claim=claim,
        base="b" * 40,
        packages=("toolz",),
        findings={"F401": 3, "UP031": 4},
        improvements=("imp-1",),
        report=ARTEFACT,
    )


def baseline(claim: int = 5) -> target.BaselineRecorded:
    return target.BaselineRecorded(
        scan="s1",
        claim=claim,
        base="b" * 40,
        usable=True,
        reason="",
        passed=192,
        failed=0,
        flaky=("test_x",),
        coverage=False,
        suite_runs=2,
        suite_ms=900,
        coverage_ms=1500,
        environment="e1",
        environment_ms=100,
        report=ARTEFACT,
    )


def run_requested(improvement: str = "imp-1") -> run.Requested:
    return run.Requested(
        improvement=improvement, role="developer", engine="deterministic", model="", task="fix F401"
    )


def run_completed() -> run.Completed:
    return run.Completed(duration_ms=120, tokens_in=10, tokens_out=5, cost_micros=7)


def formed(*members: str) -> batch.Formed:
    return batch.Formed(target="toolz", scan="s1", base="b" * 40, members=members)


def tested(passed: bool = True, claim: int = 2) -> batch.Tested:
    return batch.Tested(
        claim=claim,
        tree="e" * 40,
        original_tests=False,
        coverage=False,
        passed=passed,
        reason="" if passed else "test_a fails",
        members=1,
        suite_ms=900,
        report=ARTEFACT,
    )


def deployment_started(*improvements: str) -> deployment.Started:
    return deployment.Started(
        kind="deploy",
        target="toolz",
        scan="s1",
        improvements=improvements,
        branch="aps/improved",
        expected="",
        tip="f" * 40,
        tree="e" * 40,
    )


CYCLE: tuple[Told, ...] = (
    ("target", "toolz", registered()),
    ("target", "toolz", scan_requested()),
    ("target", "toolz", claimed(work="scan")),
    ("target", "toolz", scanned()),
    ("target", "toolz", claimed("qa-1", "baseline")),
    ("target", "toolz", baseline()),
    ("improvement", "imp-1", discovered()),
    ("improvement", "imp-1", claimed()),
    ("improvement", "imp-1", specified()),
    ("improvement", "imp-1", claimed("architect-1", "design")),
    ("improvement", "imp-1", designed()),
    ("improvement", "imp-1", claimed("developer-1", "change")),
    ("run", "r1", run_requested()),
    ("run", "r1", run.Started()),
    ("run", "r1", run_completed()),
    ("improvement", "imp-1", implemented()),
    ("batch", "batch-1", formed("imp-1", "imp-2")),
    ("batch", "batch-1", claimed("qa-1", "search")),
    ("batch", "batch-1", tested()),
    ("improvement", "imp-1", validated()),
    ("improvement", "imp-1", i.ChangeApproved(commit="f" * 40, reason="low risk")),
    ("deployment", "dep-1", claimed("deployer-1", "deploy")),
    ("deployment", "dep-1", deployment_started("imp-1")),
    ("deployment", "dep-1", deployment.StepCompleted(step="apply", detail="")),
    ("deployment", "dep-1", deployment.Succeeded(tip="f" * 40, tree="e" * 40)),
    ("improvement", "imp-1", deployed()),
)


async def tell(store: EventStore, story: Sequence[Told], number: int = 1) -> int:
    """Append facts one by one; return the head."""
    for aggregate, name, fact in story:
        position = await store.position(aggregate, name)
        await store.append_many([Batch(aggregate, name, position, (fact,))], because(number))
    return await store.head()
