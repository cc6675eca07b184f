"""PM: searches the target, ranks what it finds, and writes what must hold after each change."""

from dataclasses import dataclass, replace

from events.catalogue import read_fact
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import RequirementsSpecified
from events.store import Recorded
from events.target import TARGET, ScanFailed, Scanned, ScanRequested
from schemas.aps_vocabulary import Phase
from schemas.improvement import Status
from services.engines.deterministic.ruff import RuffFailed
from services.gherkin.vocabulary import rule_improvement_feature
from services.pm.policy import Scan, Specify, whenever
from services.pm.requirements import requirements
from services.pm.scanning import JSON, Found, Selection, look, select
from services.pm.standing import going_on, standing_at
from services.runtime.log import Change
from services.runtime.room import is_full
from services.runtime.workbench import Workbench
from services.workspace.git_command import GitError
from services.workspace.target import TargetProblem

GHERKIN = "text/x-gherkin"
NOTHING = Selection((), (), {})


@dataclass(frozen=True)
class PM:
    """Reacts to requested scans and discovered improvements."""

    bench: Workbench
    role: str = "pm"

    async def react(self, event: Recorded) -> None:
        """Scan or specify, as the policy says."""
        cause = self.bench.cause(event)
        match whenever(event.envelope.address.id, read_fact(event.envelope)):
            case Scan(target=target, scan=scan):
                await self._scan(target, scan, cause)
            case Specify(improvement=id):
                await self._specify(id, cause)
            case None:
                return

    async def _scan(self, target: str, scan: str, cause: Cause) -> None:
        book = self.bench.book
        asked = (await book.state(TARGET, target)).scans[scan]
        if asked.done or asked.failed:
            return
        async with self.bench.claim(TARGET, target, "scan", cause) as held:
            try:
                changes = await self._search(target, asked.requested, held.token)
            except (TargetProblem, GitError, RuffFailed) as problem:
                if is_full(problem):
                    raise  # a full disk is waited for
                failed = ScanFailed(scan=scan, claim=held.token, reason=str(problem))
                changes = [Change(TARGET, target, (failed,))]
            await book.record_all(changes, cause)

    async def _search(self, target: str, request: ScanRequested, token: int) -> list[Change]:
        book, workspace = self.bench.book, self.bench.workspace
        state = await book.state(TARGET, target)
        assert state.registered is not None  # noqa: S101 -- only a registered target is scanned
        repository = workspace.repository(target)
        await repository.clone_from(workspace.path(state.registered.path), request.base)
        async with self.bench.worktree(target, f"{request.scan}-scan", request.base) as tree:
            found = await look(tree, request.rules)
        chosen = NOTHING
        if not request.look_only:
            standing = await standing_at(workspace, target, state.registered.path, request.base)
            chosen = await select(book, repository, target, request, found, standing)
            found = replace(found, notes=(*found.notes, *going_on(standing, chosen.remembered)))
        scanned = await self._scanned(request, token, found, chosen)
        discoveries = [Change(IMPROVEMENT, id, (fact,)) for id, fact in chosen.new]
        return [Change(TARGET, target, (scanned,)), *discoveries]

    async def _scanned(self, request: ScanRequested, token: int, found: Found, chosen: Selection) -> Scanned:
        return Scanned(
            scan=request.scan,
            claim=token,
            base=request.base,
            packages=found.packages,
            findings=found.counts,
            improvements=chosen.improvements,
            known=chosen.known,
            remembered=chosen.remembered,
            report=await self.bench.book.keep(found.report(), f"{request.scan}.findings.json", JSON),
            notes=found.notes,
        )

    async def _specify(self, id: str, cause: Cause) -> None:
        book = self.bench.book
        state = await book.state(IMPROVEMENT, id)
        if state.status is not Status.INITIALIZED or state.discovered is None:
            return
        discovered = state.discovered
        scan = (await book.state(TARGET, discovered.target)).scans[discovered.scan]
        assert scan.done is not None  # noqa: S101 -- an improvement is discovered by a finished scan
        found = scan.done.findings.get(discovered.rule, 0)
        async with self.bench.claim(IMPROVEMENT, id, "requirements", cause) as held:
            feature = rule_improvement_feature(
                discovered.rule,
                discovered.title,
                discovered.why,
                discovered.base,
                found - discovered.expected,
                scan.done.packages,
            )
            fact = RequirementsSpecified(
                claim=held.token,
                requirements=requirements(discovered, found),
                feature=await book.keep(feature, f"{id}.feature", GHERKIN),
            )
            await self.bench.hand_over(id, fact, Phase.REQUIREMENTS, cause, feature)
