"""Architect: draws what a change touches from the real imports, and classes its risk."""

import asyncio
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from events.catalogue import read_fact
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import ArchitectureDesigned, Discovered, RequirementsSpecified, Unblocked
from events.store import Recorded
from events.target import TARGET, BaselineRecorded, Target
from schemas.aps_vocabulary import Phase
from schemas.engine import FailureKind
from schemas.findings import Site
from schemas.improvement import Component, LeftOut, Status
from schemas.risk import RiskClass
from schemas.suite import SuiteReport
from services.architect.decision import decision_record
from services.architect.doubt import Unvouched, doubted, unvouched
from services.architect.graph import ImportGraph, c4_view, components, import_graph
from services.architect.planning import plan_record, planned, risk_of
from services.architect.policy import whenever
from services.architect.risk import Surface, classify
from services.architect.surface import surface
from services.asking.consulting import NOT_CAPABLE, Consultant, NotAnswered
from services.asking.context import context_of
from services.asking.leaving import leave_to_others
from services.asking.waiting import halted
from services.engines.deterministic.rules import RuleSet, written_for
from services.engines.deterministic.source import text_of
from services.runtime.claims import Later
from services.runtime.workbench import Workbench
from services.workspace.environments.declared_python import DeclaredPython, python_at
from services.workspace.migrations.reading import migrations_told

REQUEST = "request"
MERMAID = "text/vnd.mermaid"
MARKDOWN = "text/markdown"
SITES = TypeAdapter(tuple[Site, ...])


@dataclass(frozen=True)
class Seen:
    """What the Architect knows of one base commit: imports, declared Python, what the suite runs, and
    the places whose fix is not known to be safe."""

    graph: ImportGraph
    python: DeclaredPython
    suite: SuiteReport
    baseline: BaselineRecorded
    unvouched: Unvouched


@dataclass
class Architect:
    """Reacts to requirements and baselines. Keeps what it read of the last few commits.

    Without a consultant no request is planned.
    """

    bench: Workbench
    consultant: Consultant | None = None
    role: str = "architect"
    _seen: dict[str, Seen] = field(default_factory=dict)

    async def react(self, event: Recorded) -> None:
        """Design every improvement that the event makes ready."""
        id, fact = event.envelope.address.id, read_fact(event.envelope)
        target_id = id
        if isinstance(fact, RequirementsSpecified | Unblocked):
            discovered = (await self.bench.book.state(IMPROVEMENT, id)).discovered
            assert discovered is not None  # noqa: S101 -- requirements follow a discovery
            target_id = discovered.target
        target = await self.bench.book.state(TARGET, target_id)
        left: Later | None = None
        for improvement in whenever(id, fact, target):
            try:
                await self._design(improvement, target_id, target, event)
            except Later as later:  # the others are designed all the same
                left = later
        if left is not None:
            raise left

    async def _design(self, id: str, target_id: str, target: Target, event: Recorded) -> None:
        cause = self.bench.cause(event)
        state = await self.bench.book.state(IMPROVEMENT, id)
        discovered = state.discovered
        if state.status is not Status.REQUIREMENTS_COMPLETE or discovered is None or state.awaited_budget:
            return
        baseline = target.baseline_at(discovered.base)
        if baseline is None:
            return
        if discovered.source == REQUEST and self.consultant is None:
            await leave_to_others(self.bench.book, id, event)
        try:
            async with self.bench.claim(IMPROVEMENT, id, "architecture", cause) as held:
                if discovered.source == REQUEST:
                    fact = await self._planned(id, target_id, target, discovered, baseline, held.token, cause)
                else:
                    fact = await self._designed(id, target_id, target, discovered, baseline, held.token)
                await self.bench.hand_over(id, fact, Phase.ARCHITECTURE, cause)
        except NotAnswered as nobody:
            halt = halted("no engine planned it", nobody, id)
            await self.bench.book.record(IMPROVEMENT, id, halt, cause=cause)
        except Later:
            if (await self.bench.book.state(IMPROVEMENT, id)).status is Status.REQUIREMENTS_COMPLETE:
                raise

    async def _designed(
        self,
        id: str,
        target_id: str,
        target: Target,
        discovered: Discovered,
        baseline: BaselineRecorded,
        token: int,
    ) -> ArchitectureDesigned:
        book = self.bench.book
        packages = self._packages(target, discovered)
        rules = target.scans[discovered.scan].requested.rules
        seen = await self._look(target_id, packages, baseline, rules)
        parts = components(seen.graph, discovered.files, packages)
        sites = SITES.validate_json(await book.fetch(discovered.sites))
        left_out = _left_out(discovered.rule, sites, seen)
        gone = {part.site for part in left_out}
        kept = tuple(site for site in sites if site not in gone)
        touched = await self._surface(target_id, discovered, kept or sites, seen, parts, doubtful=not kept)
        risk, reasons = classify(touched)
        title = f"{id}: {discovered.title}"
        system = target.registered.title if target.registered else target_id
        decision = None
        if risk is not RiskClass.LOW:
            text = decision_record(id, discovered, risk, reasons, parts)
            decision = await book.keep(text, f"{id}.adr.md", MARKDOWN)
        return ArchitectureDesigned(
            claim=token,
            risk=risk,
            reasons=reasons,
            components=parts,
            leave_out=left_out if kept else (),
            view=await book.keep(c4_view(title, system, parts), f"{id}.c4.mmd", MERMAID),
            decision=decision,
        )

    async def _planned(
        self,
        id: str,
        target_id: str,
        target: Target,
        found: Discovered,
        baseline: BaselineRecorded,
        token: int,
        cause: Cause,
    ) -> ArchitectureDesigned:
        """The plan of a request. Raises `NotAnswered`."""
        book, packages = self.bench.book, self._packages(target, found)
        requirements = (await book.state(IMPROVEMENT, id)).requirements
        assert requirements is not None  # noqa: S101 -- only what was specified is designed
        if self.consultant is None:
            raise NotAnswered(FailureKind.NOT_CAPABLE, NOT_CAPABLE)
        title = target.registered.title if target.registered else target_id
        only = target.scans[found.scan].requested.engine
        context = await context_of(book, target, found.scan)
        async with self.bench.worktree(target_id, f"{id}-plan", found.base) as tree:
            graph = await import_graph(tree, packages)
            told = await migrations_told(self.bench.workspace.repository(target_id), found.base)
            plan = await planned(
                self.consultant,
                id,
                title,
                found,
                requirements,
                graph,
                packages,
                tree,
                told,
                only,
                context,
                cause,
            )
        parts = components(graph, (*plan.changes, *plan.creates), packages)
        risk, reasons = risk_of(plan, parts, "" if baseline.usable else baseline.reason)
        record = plan_record(id, found, plan, risk, reasons)
        view = c4_view(f"{id}: {found.title}", title, parts, plan.creates)
        return ArchitectureDesigned(
            claim=token,
            risk=risk,
            reasons=reasons,
            components=parts,
            declared=plan.declared,
            view=await book.keep(view, f"{id}.c4.mmd", MERMAID),
            decision=await book.keep(record, f"{id}.adr.md", MARKDOWN),
        )

    @staticmethod
    def _packages(target: Target, discovered: Discovered) -> tuple[str, ...]:
        done = target.scans[discovered.scan].done
        return done.packages if done else ()

    async def _look(
        self, target_id: str, packages: tuple[str, ...], baseline: BaselineRecorded, select: tuple[str, ...]
    ) -> Seen:
        key = f"{target_id}@{baseline.base} {','.join(select)}"
        if key not in self._seen:
            async with self.bench.worktree(target_id, "architect", baseline.base) as tree:
                graph, python = await import_graph(tree, packages), python_at(tree)
                rules = RuleSet(select=select, written_for=written_for(python.oldest))
                places = await unvouched(tree, packages, rules)
            suite = SuiteReport.model_validate_json(await self.bench.book.fetch(baseline.report))
            self._seen = {
                **dict(list(self._seen.items())[-3:]),
                key: Seen(graph, python, suite, baseline, places),
            }
        return self._seen[key]

    async def _surface(
        self,
        target_id: str,
        discovered: Discovered,
        sites: tuple[Site, ...],
        seen: Seen,
        parts: tuple[Component, ...],
        *,
        doubtful: bool,
    ) -> Surface:
        repository = await self.bench.clone(target_id, discovered.base)
        sources = {
            path: text_of(await repository.read_file(discovered.base, path))
            for path in sorted({site.path for site in sites})
        }
        return await asyncio.to_thread(
            surface,
            discovered.files,
            sites,
            sources,
            seen.suite,
            seen.baseline,
            parts,
            seen.python,
            doubtful=doubtful,
        )


def _left_out(rule: str, sites: tuple[Site, ...], seen: Seen) -> tuple[LeftOut, ...]:
    """Choose what the change must do without; nothing where no suite judges it, for then a person does."""
    if not seen.baseline.usable:
        return ()
    return doubted(sites, seen.unvouched.get(rule, {}), seen.suite, measured=seen.baseline.coverage)
