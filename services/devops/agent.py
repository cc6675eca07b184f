"""DevOps: decides what is deployed, and measures what a landed change was worth."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from events.batch import BATCH, Closed
from events.catalogue import read_fact
from events.deployment import DEPLOYMENT, Succeeded
from events.envelope import Cause
from events.improvement import IMPROVEMENT, LANDED, Improvement
from events.improvement_facts import BenefitMeasured
from events.store import Recorded
from events.target import TARGET, Scanned
from services.changes.recipes import MAKING, Written
from services.devops.policy import Circumstances, assess
from services.engines.deterministic.finding import find
from services.engines.deterministic.rules import RuleSet
from services.runtime.log import Change
from services.runtime.workbench import Workbench

JSON = "application/json"


@dataclass(frozen=True)
class DevOps:
    """Reacts to closed batches, repeated scans and deployments."""

    bench: Workbench
    role: str = "devops"

    async def react(self, event: Recorded) -> None:
        """Decide or measure, as the event asks."""
        id, cause = event.envelope.address.id, self.bench.cause(event)
        match read_fact(event.envelope):
            case Closed(landed=landed):
                batch = await self.bench.book.state(BATCH, id)
                assert batch.formed is not None  # noqa: S101 -- only a formed batch is closed
                await self._decide(batch.formed.target, batch.formed.scan, landed, cause)
            case Scanned(scan=scan, known=known):
                await self._decide(id, scan, known, cause)
            case Succeeded():
                await self._measure(id, cause)
            case _:
                return

    async def _decide(self, target: str, scan: str, improvements: tuple[str, ...], cause: Cause) -> None:
        book = self.bench.book
        requested = (await book.state(TARGET, target)).scans[scan].requested
        at = Circumstances(self.bench.autonomy, requested.dry_run)
        changes = []
        for id in improvements:
            decision = assess(id, await book.state(IMPROVEMENT, id), at)
            if decision is not None:
                changes.append(Change(IMPROVEMENT, id, (decision,)))
        if changes:
            await book.record_all(changes, cause)

    async def _measure(self, deployment: str, cause: Cause) -> None:
        book = self.bench.book
        state = await book.state(DEPLOYMENT, deployment)
        if state.started is None or state.started.kind != "deploy":
            return
        started = state.started
        scan = (await book.state(TARGET, started.target)).scans[started.scan]
        assert scan.done is not None  # noqa: S101 -- nothing is deployed from an unfinished scan
        async with self.bench.worktree(started.target, f"{deployment}-measure", started.tip) as tree:
            seen = await find(tree, scan.done.packages, RuleSet(select=scan.requested.rules))
        left = Counter(finding.rule for finding in seen.findings)
        report = await book.keep(
            orjson.dumps(dict(sorted(left.items()))), f"{deployment}.findings.json", JSON
        )
        changes = []
        for id in started.improvements:
            improvement = await book.state(IMPROVEMENT, id)
            if improvement.status in LANDED and improvement.benefit is None:
                measure, before, after = await self._worth(improvement, scan.done.findings, left)
                benefit = BenefitMeasured(measure=measure, before=before, after=after, report=report)
                changes.append(Change(IMPROVEMENT, id, (benefit,)))
        if changes:
            await book.record_all(changes, cause)

    async def _worth(
        self, landed: Improvement, findings: Mapping[str, int], left: Mapping[str, int]
    ) -> tuple[str, int, int]:
        """Return what a landed change is measured by, before it and after."""
        assert landed.discovered is not None  # noqa: S101 -- landed, so discovered
        assert landed.change is not None  # noqa: S101 -- landed, so written
        recipe = MAKING.validate_json(await self.bench.book.fetch(landed.change.recipe))
        if isinstance(recipe, Written):
            shown = {test for named in recipe.proofs.values() for test in named}
            return "tests that show what was asked for", 0, len(shown)
        rule = landed.discovered.rule
        return f"findings of {rule}", findings.get(rule, 0), left.get(rule, 0)
