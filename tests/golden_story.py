"""A story in which every fact of the vocabulary happens at least once, each admitted by the rules.

`tests/golden_history.py` writes it down as the golden history of the vocabulary. It is told in the newest
version of every fact; what it was before stands in `tests/golden/`.
"""

from events import access, batch, budget, deployment, engine, improvement_facts, run, swarm, target
from events.fact import Fact
from schemas.access import Role
from schemas.engine import Billing, FailureKind
from schemas.improvement import Relation
from schemas.risk import RiskClass
from tests.golden_agents import helped
from tests.golden_deliveries import delivered
from tests.golden_telling import FILE, PART, UNTIL, Story, Told, commit, designed, implemented, ref, validated
from tests.golden_waits import waited

i = improvement_facts


def story() -> tuple[Told, ...]:
    """Return the whole story."""
    told = Story()
    _target(told)
    for tell in (_lived_and_taken_back, _declined, _failed):
        tell(told)
    _runs(told)
    _asked_of_engines(told)
    _let_in(told)
    waited(told)
    delivered(told)
    helped(told)
    return tuple(told.told)


def _scan(name: str) -> target.ScanRequested:
    return target.ScanRequested(
        scan=name,
        base=commit("base"),
        branch="main",
        rules=("F", "C4"),
        engine="deterministic",
        limit=3,
        dry_run=False,
        look_only=False,
        notes=("shelf/legacy.py is left alone",),
    )


def _target(told: Story) -> None:
    registered = target.Registered(path="/srv/shelf", title="shelf", origin="sdist:shelf==1.2.0")
    paused = target.Paused(reason="a release is being made")
    told.tell("cli", "target", "shelf", registered, paused, target.Resumed(), _scan("scan-1"))
    told.hesitate("pm-1", "target", "shelf", "scan")
    claim = told.claim("pm-2", "target", "shelf", "scan")
    scanned = target.Scanned(
        scan="scan-1",
        claim=claim,
        base=commit("base"),
        packages=("shelf",),
        findings={"F401": 4, "C408": 2, "UP031": 1},
        improvements=("unused-imports", "dict-literals", "old-formats"),
        known=("old-formats",),
        remembered={"B904": "refused before, and its inputs are the same"},
        report=ref("scan.json", "application/json"),
        notes=("1 file could not be parsed",),
    )
    told.tell("pm-2", "target", "shelf", scanned)
    claim = told.claim("qa-1", "target", "shelf", "baseline")
    baseline = target.BaselineRecorded(
        scan="scan-1",
        claim=claim,
        base=commit("base"),
        usable=True,
        reason="",
        passed=192,
        failed=1,
        flaky=("tests/test_net.py::test_slow",),
        coverage=True,
        suite_runs=2,
        suite_ms=900,
        coverage_ms=1500,
        environment="e-1",
        environment_ms=12_000,
        report=ref("baseline.json", "application/json"),
        notes=("one test needs a network",),
    )
    told.tell("qa-1", "target", "shelf", baseline, _scan("scan-2"))
    claim = told.claim("pm-1", "target", "shelf", "scan")
    failed = target.ScanFailed(scan="scan-2", claim=claim, reason="the commit is gone; scan again")
    told.tell("pm-1", "target", "shelf", failed)


def _approved(id: str) -> i.ChangeApproved:
    return i.ChangeApproved(commit=commit(f"{id} stacked"), reason="risk low is within the autonomy medium")


def _lived_and_taken_back(told: Story) -> None:
    id = "unused-imports"
    designed(told, id, "F401", 2, RiskClass.LOW)
    told.tell("cli", "improvement", id, i.Reprioritised(rank=1, reason="asked for by a person"))
    told.hesitate("developer-2", "improvement", id, "implementation")
    implemented(told, id)
    _tested(told, id)
    refuted = i.ChangeRefuted(
        batch="batch-1",
        attempt=1,
        reason="tests/test_index.py::test_load fails with the change and passes without it",
        bug_report=ref("bug-report.md", "text/markdown"),
        leave_out=(PART, FILE),
        nothing_left=False,
        document=ref(f"{id}_bug_report.aps.yaml", "application/yaml"),
    )
    told.tell("qa-1", "improvement", id, refuted)
    implemented(told, id, attempt=2)
    validated(told, id)
    blocked = i.Blocked(reason="risk high is beyond the autonomy medium", needs="a person's approval")
    told.tell("devops-1", "improvement", id, blocked, i.Unblocked(reason="approved"), _approved(id))
    _deployed(told)
    deployed = i.ChangeDeployed(
        deployment="deployment-1",
        branch="aps/improved",
        commit=commit(f"{id} stacked"),
        tree=commit(f"{id} stacked tree"),
        partly=True,
        document=ref(f"{id}_deployment.aps.yaml", "application/yaml"),
    )
    told.tell("deployer-1", "improvement", id, deployed)
    benefit = i.BenefitMeasured(
        measure="findings", before=7, after=5, report=ref("benefit.json", "application/json")
    )
    asked = i.RollbackRequested(reason="start-up became slower")
    told.tell("devops-1", "improvement", id, benefit, asked)
    refused = i.RollbackRefused(reason="a later change stands on these lines")
    told.tell("deployer-1", "improvement", id, refused)
    told.tell("gateway", "improvement", id, asked)
    taken_back = i.ChangeRolledBack(
        deployment="deployment-3", commit=commit("reverted"), tree=commit("base tree"), method="revert"
    )
    told.tell("deployer-1", "improvement", id, taken_back)
    told.tell("cli", "improvement", id, i.Retried(reason="start-up is fast again"))
    related = i.Related(
        other="dict-literals",
        relation=Relation.CONFLICTS,
        reason="both rewrite the imports of shelf/index.py",
        evidence=("shelf/index.py",),
        judged_by="claude_code",
        run="relations-0123456789abcdef-1",
    )
    told.tell("pm-1", "improvement", id, related)
    told.tell("developer-1", "improvement", id, i.Abandoned(reason="the file is gone"))


def _tested(told: Story, id: str) -> None:
    formed = batch.Formed(target="shelf", scan="scan-1", base=commit("base"), members=(id, "dict-literals"))
    told.tell("qa-1", "batch", "batch-1", formed)
    told.hesitate("qa-2", "batch", "batch-1", "search")
    claim = told.claim("qa-1", "batch", "batch-1", "search")
    for tree, passed in (("both", False), ("one", True)):
        tested = batch.Tested(
            claim=claim,
            tree=commit(tree),
            original_tests=passed,
            coverage=passed,
            passed=passed,
            reason="" if passed else "test_load fails",
            members=2,
            suite_ms=900,
            report=ref(f"suite-{tree}.json", "application/json"),
        )
        told.tell("qa-1", "batch", "batch-1", tested)
    split = batch.Split(claim=claim, improvement=id, kind="site", parts=2, reason="test_load fails")
    settled = batch.Settled(
        claim=claim,
        tree=commit("one"),
        kept=("dict-literals",),
        smaller={id: (PART, FILE)},
        refused={"old-formats": "no test passes with it"},
    )
    told.tell("qa-1", "batch", "batch-1", split, settled)
    claim = told.claim("qa-1", "batch", "batch-1", "closing")
    closed = batch.Closed(
        claim=claim, tip=commit("tip"), tree=commit("one"), landed=("dict-literals", id), suite_runs=4
    )
    told.tell("qa-1", "batch", "batch-1", closed)


def _started(improvement: str, expected: str) -> deployment.Started:
    return deployment.Started(
        kind="deploy",
        target="shelf",
        scan="scan-1",
        improvements=(improvement,),
        branch="aps/improved",
        expected=expected,
        tip=commit(f"{improvement} stacked"),
        tree=commit(f"{improvement} stacked tree"),
    )


def _checked(passed: bool) -> deployment.HealthChecked:
    code = 0 if passed else 3
    return deployment.HealthChecked(
        command="./health", passed=passed, exit_code=code, output=ref("health.txt")
    )


def _deployed(told: Story) -> None:
    name = "deployment-1"
    told.hesitate("deployer-2", "deployment", name, "deploy")
    told.claim("deployer-1", "deployment", name, "deploy")
    promoted = deployment.StepCompleted(step="promote", detail="aps/improved moved")
    tip = deployment.Succeeded(
        tip=commit("unused-imports stacked"), tree=commit("unused-imports stacked tree")
    )
    told.tell("deployer-1", "deployment", name, _started("unused-imports", ""), _checked(True), promoted, tip)


def _declined(told: Story) -> None:
    id = "dict-literals"
    designed(told, id, "C408", 2, RiskClass.HIGH)
    implemented(told, id)
    validated(told, id)
    told.tell("cli", "improvement", id, i.ChangeDeclined(reason="we like dict()"))


def _failed(told: Story) -> None:
    id, name = "old-formats", "deployment-2"
    designed(told, id, "UP031", 3, RiskClass.MEDIUM)
    implemented(told, id)
    validated(told, id)
    told.tell("devops-1", "improvement", id, _approved(id))
    told.claim("deployer-1", "deployment", name, "deploy")
    told.tell(
        "deployer-1", "deployment", name, _started(id, commit("unused-imports stacked")), _checked(False)
    )
    failed = deployment.Failed(reason="./health ended with 3")
    back = deployment.RolledBack(
        tip=commit("unused-imports stacked"), tree=commit("unused-imports stacked tree")
    )
    told.tell("deployer-1", "deployment", name, failed, back)
    told.tell(
        "deployer-1", "improvement", id, i.DeploymentFailed(deployment=name, reason="./health ended with 3")
    )
    undone = i.ChangeRolledBack(
        deployment=name,
        commit=commit("unused-imports stacked"),
        tree=commit("unused-imports stacked tree"),
        method="restore",
    )
    told.tell("deployer-1", "improvement", id, undone)


def _runs(told: Story) -> None:
    answer = ref("answer.json", "application/json")
    completed = run.Completed(duration_ms=120, tokens_in=900, tokens_out=80, cost_micros=4_200, answer=answer)
    endings: dict[str, tuple[Fact, ...]] = {
        "unused-imports-run-1": (run.Started(), completed),
        "unused-imports-run-2": (run.Reused(run="unused-imports-run-1"),),
        "dict-literals-run-1": (run.Started(), run.Failed(duration_ms=30, reason="no usable answer")),
        "old-formats-run-1": (run.Started(), run.Cancelled(reason="asked for by a person")),
    }
    for name, ending in endings.items():
        requested = run.Requested(
            improvement=name.rpartition("-run-")[0],
            role="developer",
            engine="deterministic",
            model="",
            task="fix what was found",
        )
        told.tell("developer-1", "run", name, requested, *ending)


def _asked_of_engines(told: Story) -> None:
    sealed = ref("prompt.json", "application/json").model_copy(
        update={"sealed_for": "improvement/old-formats"}
    )
    first, second = "plan-0123456789abcdef-1", "plan-fedcba9876543210-1"
    asked = run.Requested(
        improvement="old-formats",
        role="architect",
        engine="claude_code",
        model="sonnet",
        task="plan",
        prompt=sealed,
        prompt_version="a" * 64,
        inputs="b" * 64,
        session="s-1",
    )
    instead = asked.model_copy(
        update={"engine": "openai_compatible", "session": "", "instead_of": first, "attempt": 2}
    )
    used = {"tokens_in": 900, "tokens_out": 80, "tokens_cached": 700, "cost_micros": 4_200, "turns": 3}
    left = {"session": "s-2", "engine_version": "2.1.330", "transcript": sealed, "model": "sonnet-4"}
    failed = run.Failed.model_validate(
        {
            **used,
            **left,
            "duration_ms": 30,
            "reason": "the engine is overloaded",
            "kind": FailureKind.OVERLOADED,
            "billing": Billing.PRICE,
        }
    )
    completed = run.Completed.model_validate(
        {**used, **left, "duration_ms": 120, "answer": sealed, "billing": Billing.SUBSCRIPTION}
    )
    day = "day-2026-01-05"
    opened = budget.Opened(limit_micros=50_000, limit_runs=20, until=UNTIL)
    told.tell("architect-1", "budget", day, opened, _reserved(first))
    told.tell("architect-1", "run", first, asked, run.Started(), failed)
    told.tell("architect-1", "budget", day, budget.Committed(run=first, micros=4_000, over_micros=200))
    told.tell("architect-1", "budget", day, _reserved(second))
    told.tell("architect-1", "run", second, instead, run.Started(), completed)
    released = budget.Released(run=second, reason="a subscription pays")
    exhausted = budget.Exhausted(asked_micros=90_000, reason="$0.09 are asked for and $0.0458 are left")
    told.tell("architect-1", "budget", day, released, exhausted)
    called = engine.CallBegun(run=first, places=4, lease_until=UNTIL, budgets=(day,))
    overloaded = engine.CallEnded(run=first, failure=FailureKind.OVERLOADED)
    alone = engine.CircuitOpened(failures=1, failure=FailureKind.OVERLOADED, until=UNTIL)
    told.tell("architect-1", "engine", "claude-code", called, overloaded, alone)
    called = engine.CallBegun(run=second, places=4, lease_until=UNTIL, budgets=(day,))
    told.tell("architect-1", "engine", "openai-compatible", called, engine.CallEnded(run=second))
    told.tell("cli", "swarm", "all", swarm.Paused(reason="a person looks first"), swarm.Resumed())


def _reserved(run: str) -> budget.Reserved:
    return budget.Reserved(run=run, micros=4_000, lease_until=UNTIL)


def _let_in(told: Story) -> None:
    granted = access.Granted(
        title="a pipeline",
        role=Role.OPERATOR,
        secret_sha256=commit("secret")[:40].ljust(64, "0"),
        expires_at=UNTIL,
        scopes=("improvements",),
    )
    denied = access.Denied(
        what="POST /api/pause", why="the token's scopes do not include swarm", address="127.0.0.1", times=3
    )
    left = access.Left(session="c2Vzc2lvbi1vZi1vbmU", until=UNTIL)
    revoked = access.Revoked(reason="the pipeline is gone")
    told.tell("cli", "access", "5f3a1c2b4d6e", granted, denied, left, revoked)
    told.tell("gateway", "access", access.NOBODY, denied)
