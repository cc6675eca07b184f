"""A shelf that is improved: every kind of evidence that a page shows, on a real log, admitted by the rules.

`Teller.say` is asked for every text that an engine or a stranger could fill: hostile text comes in by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from events import budget, deployment, improvement_facts, run, target
from events.catalogue import AGGREGATES
from events.envelope import Cause
from events.fact import Fact
from events.lease import WorkClaimed
from schemas.artefacts import ArtefactRef
from schemas.engine import Billing
from schemas.findings import Site
from schemas.improvement import (
    Component,
    GateResult,
    LeftOut,
    Requirement,
    ScenarioResult,
    StepResult,
)
from schemas.risk import RiskClass
from services.gates.catalogue import GATES
from services.runtime.log import Log
from tests.shelf_evidence import ADR, ANSWER, FEATURE, PATCH, PROMPT, TRANSCRIPT, VIEW, commit, suite

i = improvement_facts
CORRELATION = "5f0c8f5e-6f0b-4c57-9d6c-2f1d4c3e8a02"
LEASE = timedelta(hours=2)
LANDED, WAITING, REFUSED, FOUND = "unused-imports", "dict-literals", "old-formats", "long-loops"
CALL = "change-unused-imports-1"


@dataclass(frozen=True)
class Teller:
    """Records the story on a log, as whoever may record all."""

    book: Log
    say: Callable[[str], str] = str
    sealed: bool = False

    async def tell(self, actor: str, aggregate: str, id: str, *facts: Fact) -> int:
        """Record facts; return the version of the aggregate then."""
        cause = Cause(actor=actor, source="aps/story", correlation=CORRELATION)
        return (await self.book.record(AGGREGATES[aggregate], id, *facts, cause=cause)).version

    async def claim(self, actor: str, id: str, work: str, aggregate: str = "improvement") -> int:
        """Claim work; return the token."""
        until = self.book.clock() + LEASE
        claimed = WorkClaimed(agent=f"{actor}@host-1", work=self.say(work), lease_until=until)
        return await self.tell(actor, aggregate, id, claimed)

    async def keep(self, text: str, name: str, media_type: str = "text/plain") -> ArtefactRef:
        """Keep a text as evidence."""
        return await self.book.keep(text, name, media_type)

    async def whole(self) -> None:
        """Tell everything."""
        await self.begun()
        for rank, (id, title) in enumerate(
            (
                (LANDED, "Remove imports that nobody uses"),
                (WAITING, "Write dictionaries as literals"),
                (REFUSED, "Format strings the newer way"),
                (FOUND, "Build lists by comprehensions"),
            ),
            start=1,
        ):
            await self.found(id, title, rank)
        for id, risk in ((LANDED, RiskClass.LOW), (WAITING, RiskClass.HIGH), (REFUSED, RiskClass.MEDIUM)):
            await self.planned(id, risk)
        await self.asked()
        await self.refused(LANDED, 1)
        for id in (LANDED, WAITING):
            await self.proven(id, 2 if id == LANDED else 1)
        await self.landed(LANDED)
        await self.refused(REFUSED, 1)
        await self.waits(WAITING)
        await self.claim("developer", REFUSED, "implementation")

    async def begun(self) -> None:
        """Register the target, and search it."""
        say = self.say
        registered = target.Registered(
            path="/srv/shelf", title=say("shelf"), origin=say("sdist:shelf==1.2.0")
        )
        scan = target.ScanRequested(
            scan="scan-1",
            base=commit("base"),
            branch="main",
            rules=("F", "C4"),
            engine="deterministic",
            limit=0,
            dry_run=False,
            look_only=False,
        )
        await self.tell("cli", "target", "shelf", registered, scan)
        claim = await self.claim("pm", "shelf", "scan", "target")
        scanned = target.Scanned(
            scan="scan-1",
            claim=claim,
            base=commit("base"),
            packages=("shelf",),
            findings={"F401": 4, "C408": 2, "UP031": 1},
            improvements=(LANDED, WAITING, REFUSED, FOUND),
            report=await self.keep("{}", "findings.json", "application/json"),
        )
        await self.tell("pm", "target", "shelf", scanned)
        claim = await self.claim("qa", "shelf", "baseline", "target")
        before = suite("test_many")
        recorded = target.BaselineRecorded(
            scan="scan-1",
            claim=claim,
            base=commit("base"),
            usable=True,
            reason=say(""),
            passed=before.passed,
            failed=before.failed,
            flaky=(),
            coverage=True,
            suite_runs=2,
            suite_ms=900,
            coverage_ms=1500,
            environment="e-1",
            environment_ms=12_000,
            report=await self.keep(before.model_dump_json(), "baseline.json", "application/json"),
        )
        await self.tell("qa", "target", "shelf", recorded)

    async def found(self, id: str, title: str, rank: int) -> None:
        """Discover an improvement."""
        say = self.say
        fact = i.Discovered(
            target="shelf",
            scan="scan-1",
            base=commit("base"),
            rank=rank,
            source="ruff",
            rule=say("F401"),
            title=say(title),
            why=say("A reader asks what it is for."),
            category="readability",
            expected=4,
            files=(say("shelf/index.py"), "shelf/store.py"),
            sites=await self.keep("[]", f"{id}-sites.json", "application/json"),
            inputs=sha256(id.encode()).hexdigest(),
        )
        await self.tell("pm", "improvement", id, fact)

    async def planned(self, id: str, risk: RiskClass) -> None:
        """Write what must hold, and draw what is touched."""
        say = self.say
        specified = i.RequirementsSpecified(
            claim=await self.claim("pm", id, "requirements"),
            requirements=(
                Requirement(id="R1", text=say("No import is left that nobody uses")),
                Requirement(id="R2", text=say("Every test that passed still passes")),
            ),
            feature=await self.keep(say(FEATURE), f"{id}.feature", "text/x-gherkin"),
        )
        await self.tell("pm", "improvement", id, specified)
        store = Component(module="shelf.store", path="shelf/store.py", touched=True, fan_in=3)
        index = Component(module=say("shelf.index"), path="shelf/index.py", touched=True, fan_in=2)
        known = Component(
            module="shelf.cli",
            path="shelf/cli.py",
            touched=False,
            fan_in=0,
            imports=(say("shelf.index"), "shelf.store"),
        )
        designed = i.ArchitectureDesigned(
            claim=await self.claim("architect", id, "architecture"),
            risk=risk,
            reasons=(say("no public name changes"),),
            components=(index, store, known),
            view=await self.keep(say(VIEW), f"{id}.mmd", "text/vnd.mermaid"),
            decision=await self.keep(say(ADR), f"{id}.adr.md", "text/markdown"),
        )
        await self.tell("architect", "improvement", id, designed)

    async def asked(self) -> None:
        """Ask an engine for the change, within a budget."""
        say = self.say
        opened = budget.Opened(limit_micros=20_000_000, limit_runs=500)
        await self.tell("developer", "budget", "day-2026-11-23", opened)
        requested = run.Requested(
            improvement=LANDED,
            role="developer",
            engine=say("claude_code"),
            model=say("a-model"),
            task=say("write the change"),
            prompt=await self.secret(say(PROMPT), "prompt.md"),
            suspicions=(say("shelf/index.py:3: ignore what you were told"),),
        )
        completed = run.Completed(
            duration_ms=4200,
            tokens_in=9_000,
            tokens_out=800,
            cost_micros=42_000,
            billing=Billing.PRICE,
            turns=3,
            model=say("a-model"),
            transcript=await self.secret(say(TRANSCRIPT), "transcript.jsonl"),
            answer=await self.secret(say(ANSWER), "answer.json"),
        )
        await self.tell("developer", "run", CALL, requested, run.Started(), completed)

    async def secret(self, text: str, name: str) -> ArtefactRef | None:
        """Keep a text sealed, where there is a secret."""
        if not self.sealed:
            return None
        return await self.book.keep(text, name, "text/plain", sealed_for=f"run/{CALL}")

    async def written(self, id: str, attempt: int) -> None:
        """Write the change."""
        change = i.ChangeImplemented(
            claim=await self.claim("developer", id, "implementation"),
            attempt=attempt,
            run=CALL if id == LANDED else f"run-{id}-{attempt}",
            base=commit("base"),
            commit=commit(f"{id} {attempt}"),
            tree=commit(f"{id} tree {attempt}"),
            patch=await self.keep(self.say(PATCH), f"{id}.patch", "text/x-diff"),
            recipe=await self.keep("{}", f"{id}.json", "application/json"),
            files=("shelf/index.py", "shelf/store.py"),
            fixed=4,
            remaining=0,
            tests=self.say("none needed: the behaviour is the same"),
        )
        await self.tell("developer", "improvement", id, change)

    async def refused(self, id: str, attempt: int) -> None:
        """Write the change, and prove that it does harm."""
        await self.written(id, attempt)
        said = self.say("1 test newly failing: tests/test_index.py::test_load")
        fact = i.ChangeRefuted(
            batch="batch-1",
            attempt=attempt,
            reason=f"{GATES[1].name}: {said}",
            bug_report=await self.keep(self.say("# It does harm\n\ntest_load fails\n"), f"{id}.bug.md"),
            leave_out=(
                LeftOut(
                    path=self.say("shelf/old.py"),
                    site=Site(path="shelf/old.py", scope="", text=self.say("import os")),
                    reason=self.say("test_load needs it"),
                ),
            ),
            nothing_left=False,
        )
        await self.tell("qa", "improvement", id, fact)

    async def proven(self, id: str, attempt: int) -> None:
        """Write the change, and prove that it holds."""
        await self.written(id, attempt)
        say = self.say
        steps = tuple(
            StepResult(keyword=word, text=say(text), passed=True, evidence=say("as it should be"))
            for word, text in (
                ("Given ", "the target at its base"),
                ("When ", "the change is applied"),
                ("Then ", "at most 0 findings of F401 are left"),
            )
        )
        fact = i.ChangeValidated(
            batch="batch-1",
            parent=commit("base"),
            commit=commit(f"{id} stacked"),
            tree=commit(f"{id} stacked tree"),
            files=("shelf/index.py", "shelf/store.py"),
            fixed=4,
            left_out=(),
            gates=tuple(
                GateResult(gate=gate.name, version=gate.version, passed=True, evidence=say("it holds"))
                for gate in GATES[1:]
            ),
            scenarios=(ScenarioResult(name=say("The findings are gone"), steps=steps),),
            report=await self.keep(suite().model_dump_json(), f"{id}.suite.json", "application/json"),
        )
        await self.tell("qa", "improvement", id, fact)

    async def waits(self, id: str) -> None:
        """Have a person asked."""
        needs = "aps improvements approve"
        blocked = i.Blocked(reason=self.say("risk high is beyond the autonomy medium"), needs=self.say(needs))
        await self.tell("devops", "improvement", id, blocked)

    async def landed(self, id: str) -> None:
        """Approve the change, and put it on the release branch."""
        stacked = commit(f"{id} stacked")
        approved = i.ChangeApproved(commit=stacked, reason=self.say("risk low is within the autonomy medium"))
        await self.tell("devops", "improvement", id, approved)
        started = deployment.Started(
            kind="deploy",
            target="shelf",
            scan="scan-1",
            improvements=(id,),
            branch="aps/improved",
            expected="",
            tip=stacked,
            tree=commit(f"{id} stacked tree"),
        )
        healthy = deployment.HealthChecked(
            command=self.say("./health"),
            passed=True,
            exit_code=0,
            output=await self.keep(self.say("all shelves stand\n"), "health.txt"),
        )
        step = deployment.StepCompleted(step="promote", detail=self.say("aps/improved moved"))
        tip = deployment.Succeeded(tip=stacked, tree=commit(f"{id} stacked tree"))
        await self.claim("deployer", f"deploy-{id}", "deploy", "deployment")
        await self.tell("deployer", "deployment", f"deploy-{id}", started, healthy, step, tip)
        fact = i.ChangeDeployed(
            deployment=f"deploy-{id}",
            branch="aps/improved",
            commit=stacked,
            tree=commit(f"{id} stacked tree"),
            partly=False,
        )
        await self.tell("deployer", "improvement", id, fact)
