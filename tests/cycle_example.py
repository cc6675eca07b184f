"""An example cycle, recorded in memory through the rules: to see what is told of one without running any.

Four improvements of a small shop: one lands, one lands without a file, one is refused, one waits.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from events.batch import BATCH, Closed, Formed, Settled, Split, Tested
from events.deployment import DEPLOYMENT, Started, Succeeded
from events.envelope import Cause
from events.fact import AggregateType, Fact
from events.improvement import IMPROVEMENT
from events.improvement_facts import (
    Abandoned,
    ArchitectureDesigned,
    BenefitMeasured,
    Blocked,
    ChangeApproved,
    ChangeDeployed,
    ChangeImplemented,
    ChangeRefuted,
    ChangeValidated,
    Discovered,
    RequirementsSpecified,
)
from events.lease import WorkClaimed
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.run import RUN, Completed, Requested
from events.run import Started as RunStarted
from events.target import TARGET, BaselineRecorded, Registered, Scanned, ScanRequested
from schemas.artefacts import ArtefactRef
from schemas.improvement import GateResult, LeftOut, ScenarioResult, StepResult
from schemas.risk import RiskClass
from schemas.suite import Outcome as Ran
from schemas.suite import SuiteEnd, SuiteReport
from services.engines.deterministic.recipe import Recipe
from services.runtime.log import Log

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE, TIP, TREE = "b" * 40, "1" * 40, "7" * 40
T, SCAN, B = "shop-1234", "shop-1234-s1", "shop-1234-s1-b1"
GOOD, PART, BAD, HELD = "sim201-1", "ret505-2", "c408-3", "b904-4"
ALL = (GOOD, PART, BAD, HELD)
LEFT = LeftOut(path="shop/odd.py", reason="the suite fails with it")
TITLE, PATH = "Use `!=`", "/srv/shop it"
BUG = """# Title (C408) does harm

## What the suite said

### tests/test_shop.py::test_total

```text
def test_total():
>       assert total(None) == 0
E       TypeError: <b>boom</b>
```
"""
SCENARIO = ScenarioResult(
    name="Nothing else is harmed",
    steps=(
        StepResult(
            keyword="Then",
            text="every test that passed before still passes",
            passed=True,
            evidence="192 tests passed, 192 before",
        ),
    ),
)


class Recorder:
    """Records facts through the log, one second apart."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self.now = NOW
        self.book = Log(InMemoryEventStore(self.clock), InMemoryArtefacts(), self.clock)
        self.cause = Cause("test@x", "aps/test", "11111111-1111-4111-8111-111111111111")

    def clock(self) -> datetime:
        """Return the example's own time."""
        return self.now

    async def record(self, kind: AggregateType[Any], id: str, *facts: Fact) -> None:
        """Record facts a second later."""
        self.now += timedelta(seconds=1)
        await self.book.record(kind, id, *facts, cause=self.cause)

    async def claim(self, kind: AggregateType[Any], id: str, work: str) -> int:
        """Take a piece of work and return its token."""
        until = self.now + timedelta(hours=1)
        await self.record(kind, id, WorkClaimed(agent="a", work=work, lease_until=until))
        return (await self.book.load(kind, id)).position.version

    async def keep(self, content: bytes | str) -> ArtefactRef:
        """Keep an artefact."""
        return await self.book.keep(content, "x", "text/plain")

    def ask_again(self) -> None:
        """What follows was asked for later, by a person."""
        self.cause = Cause("person@x", "aps/cli", "22222222-2222-4222-8222-222222222222")


def suite(passed: int) -> SuiteReport:
    """Return a suite report with one failing test."""
    tests = {f"t{n}": Ran.PASSED for n in range(passed)} | {"bad": Ran.FAILED}
    return SuiteReport(end=SuiteEnd.FINISHED, exit_code=1, tests=tests, duration_ms=900)


async def scanned(
    r: Recorder, title: str = "Use `!=`", *, path: str = "/srv/shop it", dry: bool = False
) -> None:
    """Register, request and search: four improvements."""
    asked = ScanRequested(
        scan=SCAN,
        base=BASE,
        branch="main",
        rules=("F",),
        engine="deterministic",
        limit=0,
        dry_run=dry,
        look_only=False,
        notes=("1 file has uncommitted changes: left alone",),
    )
    await r.record(TARGET, T, Registered(path=path, title="shop", origin=path), asked)
    done = Scanned(
        scan=SCAN,
        claim=await r.claim(TARGET, T, "scan"),
        base=BASE,
        packages=("shop",),
        findings={"SIM201": 7, "RET505": 4, "C408": 3, "B904": 2, "E501": 1},
        improvements=ALL,
        remembered={"UP031": "up031-9 was abandoned on the same files: it breaks a test"},
        report=await r.keep("{}"),
    )
    await r.record(TARGET, T, done)
    for rank, id in enumerate(ALL, start=1):
        found = Discovered(
            target=T,
            scan=SCAN,
            base=BASE,
            rank=rank,
            source="deterministic",
            rule=id.partition("-")[0].upper(),
            title=title,
            why="It says what it does.",
            category="clarity",
            expected=2,
            files=(f"shop/{id}.py",),
            sites=await r.keep("[]"),
            inputs=f"inputs {id}",
        )
        await r.record(IMPROVEMENT, id, found)


async def baseline(r: Recorder, **changed: object) -> None:
    """Record the suite before any change; `changed` fields differ."""
    fact = BaselineRecorded(
        scan=SCAN,
        claim=await r.claim(TARGET, T, "baseline"),
        base=BASE,
        usable=True,
        reason="",
        passed=10,
        failed=1,
        flaky=("t::shaky",),
        coverage=False,
        coverage_ms=0,
        suite_runs=3,
        suite_ms=900,
        environment="e",
        environment_ms=5000,
        report=await r.keep(suite(10).model_dump_json()),
    )
    await r.record(TARGET, T, fact.model_copy(update=changed))


async def specified(r: Recorder, id: str) -> None:
    """Write what must hold after an improvement."""
    claim = await r.claim(IMPROVEMENT, id, "requirements")
    fact = RequirementsSpecified(claim=claim, requirements=(), feature=await r.keep("x"))
    await r.record(IMPROVEMENT, id, fact)


async def designed(r: Recorder, id: str) -> None:
    """Look at what an improvement touches."""
    design = ArchitectureDesigned(
        claim=await r.claim(IMPROVEMENT, id, "architecture"),
        risk=RiskClass.LOW,
        reasons=("Every touched line is run.",),
        components=(),
        view=await r.keep("x"),
    )
    await r.record(IMPROVEMENT, id, design)


async def written(r: Recorder, id: str, attempt: int = 1) -> None:
    """Write a change."""
    claim = await r.claim(IMPROVEMENT, id, "implementation")
    run = f"{id}-r{claim}"
    asked = Requested(improvement=id, role="developer", engine="deterministic", model="", task="write")
    await r.record(RUN, run, asked, RunStarted(), Completed(duration_ms=5))
    recipe = Recipe(rule=id.partition("-")[0].upper(), packages=("shop",))
    change = ChangeImplemented(
        claim=claim,
        attempt=attempt,
        run=run,
        base=BASE,
        commit="c" * 40,
        tree=TREE,
        patch=await r.keep("x"),
        recipe=await r.keep(recipe.model_dump_json()),
        files=(f"shop/{id}.py",),
        fixed=2,
        remaining=0,
        tests="none needed",
    )
    await r.record(IMPROVEMENT, id, change)


async def implemented(r: Recorder, title: str = TITLE, path: str = PATH, **baseline_fields: object) -> None:
    """Take all improvements to their written changes."""
    await scanned(r, title, path=path)
    await baseline(r, **baseline_fields)
    for id in ALL:
        await specified(r, id)
        await designed(r, id)
        await written(r, id)


async def settled(r: Recorder) -> None:
    """One red run finds the harm, a green one and one with the original tests prove the rest."""
    await r.record(BATCH, B, Formed(target=T, scan=SCAN, base=BASE, members=ALL))
    claim = await r.claim(BATCH, B, "trial")
    report = await r.keep("{}")
    for tree, original, passed in (("a", False, False), (TREE, False, True), (TREE, True, True)):
        run = Tested(
            claim=claim,
            tree=tree,
            original_tests=original,
            coverage=False,
            passed=passed,
            reason="",
            members=4,
            suite_ms=800,
            report=report,
        )
        await r.record(BATCH, B, run)
    part = LEFT
    await r.record(BATCH, B, Split(claim=claim, improvement=PART, kind="file", parts=3, reason="it breaks"))
    found = Settled(claim=claim, tree=TREE, kept=(GOOD, HELD), smaller={PART: (part,)}, refused={BAD: "no"})
    await r.record(BATCH, B, found)
    for id, parts in ((PART, (part,)), (BAD, ())):
        refuted = ChangeRefuted(
            batch=B,
            attempt=1,
            reason="breaks tests/test_shop.py::test_total",
            bug_report=await r.keep(BUG),
            leave_out=parts,
            nothing_left=not parts,
        )
        await r.record(IMPROVEMENT, id, refuted)
    await r.record(IMPROVEMENT, BAD, Abandoned(reason="breaks tests/test_shop.py::test_total"))


async def proven(r: Recorder, title: str = TITLE, path: str = PATH) -> None:
    """Take all improvements to their verdicts."""
    await implemented(r, title, path)
    await judged(r)


async def judged(r: Recorder) -> None:
    """Try all written changes together, to their verdicts."""
    await settled(r)
    await written(r, PART, attempt=2)
    for n, id in enumerate((GOOD, PART, HELD)):
        gate = GateResult(
            gate="suite_no_worse", version="1", passed=True, evidence="12 tests passed, 10 before"
        )
        proven = ChangeValidated(
            batch=B,
            parent=BASE,
            commit=f"{n}" * 40,
            tree=TREE,
            files=(f"shop/{id}.py", "shop/two.py"),
            fixed=2,
            left_out=(LEFT,) if id == PART else (),
            gates=(gate,),
            scenarios=(SCENARIO,),
            report=await r.keep(suite(12).model_dump_json()),
        )
        await r.record(IMPROVEMENT, id, proven)
    claim = await r.claim(BATCH, B, "verdicts")
    await r.record(BATCH, B, Closed(claim=claim, tip=TIP, tree=TREE, landed=(GOOD, PART, HELD), suite_runs=3))


async def landed(r: Recorder, name: str, *ids: str) -> None:
    """Put approved improvements on the branch."""
    started = Started(
        kind="deploy",
        target=T,
        scan=SCAN,
        improvements=ids,
        branch="aps/improved",
        expected="",
        tip=TIP,
        tree=TREE,
    )
    await r.record(DEPLOYMENT, name, started, Succeeded(tip=TIP, tree=TREE))
    for id in ids:
        state = await r.book.state(IMPROVEMENT, id)
        assert state.verdict is not None
        commit = state.verdict.commit
        fact = ChangeDeployed(
            deployment=name, branch="aps/improved", commit=commit, tree=TREE, partly=bool(state.leave_out)
        )
        await r.record(IMPROVEMENT, id, ChangeApproved(commit=commit, reason="every gate passed"), fact)


async def measured(r: Recorder, *ids: str, left: dict[str, int]) -> None:
    """Record what landed improvements were worth; `left` are the findings counted at the tip."""
    report = await r.keep(orjson.dumps(left))
    for id in ids:
        await r.record(IMPROVEMENT, id, BenefitMeasured(measure="m", before=7, after=0, report=report))


async def whole(r: Recorder, title: str = TITLE, path: str = PATH) -> None:
    """Record the whole cycle."""
    await proven(r, title, path)
    needs = f"a person: aps improvements approve {HELD}"
    await r.record(IMPROVEMENT, HELD, Blocked(reason="risk high is above the autonomy medium", needs=needs))
    await landed(r, "d1", GOOD, PART)
    await measured(r, GOOD, PART, left={"RET505": 1, "C408": 3, "B904": 2, "E501": 1})
