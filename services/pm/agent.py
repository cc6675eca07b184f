"""PM: searches the target, ranks what it finds, and writes what must hold after each change."""

from dataclasses import dataclass, replace

from events.catalogue import read_fact
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned, Blocked, Discovered, RequirementsSpecified
from events.store import Recorded
from events.target import TARGET, ScanFailed, Scanned, ScanRequested, Target
from schemas.aps_vocabulary import Phase
from schemas.improvement import Status
from services.asking.consulting import NOT_CAPABLE, Consultant, NotAnswered
from services.asking.leaving import leave_to_others
from services.asking.waiting import halted
from services.discovery.understanding import Discovery
from services.engines.deterministic.ruff import RuffFailed
from services.gherkin.vocabulary import rule_improvement_feature
from services.pm.asked import SOURCE, discovered
from services.pm.policy import Read, Scan, Specify, whenever
from services.pm.relating import related
from services.pm.requirements import requirements
from services.pm.scanning import JSON, Found, Selection, look, select
from services.pm.specifying import GHERKIN, specified
from services.pm.standing import going_on, standing_at
from services.runtime.log import Change
from services.runtime.room import is_full
from services.runtime.workbench import Workbench
from services.workspace.git.command import GitError
from services.workspace.target import TargetProblem

NOTHING = Selection((), (), {})


@dataclass(frozen=True)
class PM:
    """Reacts to scans, discoveries and deliveries. Without a consultant no request is done."""

    bench: Workbench
    consultant: Consultant | None = None
    role: str = "pm"

    async def react(self, event: Recorded) -> None:
        """Scan, specify or read, as the policy says."""
        cause = self.bench.cause(event)
        match whenever(event.envelope.address.id, read_fact(event.envelope)):
            case Scan(target=target, scan=scan):
                await self._scan(target, scan, cause)
            case Specify(improvement=id, new=new):
                await self._specify(id, new, event)
            case Read(delivery=id):
                await self._read(id, cause)
            case None:
                return

    async def _read(self, id: str, cause: Cause) -> None:
        discovery = Discovery(self.bench.book, self.bench.workspace, self.bench.settings.webhook_label)
        await discovery.understand(id, cause)

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
        if request.request:
            chosen = await self._asked(target, request)
        elif not request.look_only:
            standing = await standing_at(workspace, target, state.registered.path, request.base)
            chosen = await select(book, repository, target, request, found, standing)
            found = replace(found, notes=(*found.notes, *going_on(standing, chosen.remembered)))
        scanned = await self._scanned(request, token, found, chosen)
        discoveries = [Change(IMPROVEMENT, id, (fact,)) for id, fact in chosen.new]
        return [Change(TARGET, target, (scanned,)), *discoveries]

    async def _asked(self, target: str, request: ScanRequested) -> Selection:
        id, fact = await discovered(self.bench.book, target, request)
        known = (await self.bench.book.state(IMPROVEMENT, id)).status is not None
        return Selection(() if known else ((id, fact),), (id,) if known else (), {})

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

    async def _specify(self, id: str, new: bool, event: Recorded) -> None:
        book, cause = self.bench.book, self.bench.cause(event)
        state = await book.state(IMPROVEMENT, id)
        if state.status is not Status.INITIALIZED or state.discovered is None or state.awaited_budget:
            return
        found = state.discovered
        if found.source == SOURCE and self.consultant is None:
            await leave_to_others(book, id, event)
        target = await book.state(TARGET, found.target)
        async with self.bench.claim(IMPROVEMENT, id, "requirements", cause) as held:
            if found.source == SOURCE:
                only = target.scans[found.scan].requested.engine
                if new and await related(book, self.consultant, id, target, only, cause):
                    return
                made = await self._specified(id, found, target, held.token, cause)
            else:
                made = await self._of_rule(id, found, target, held.token)
            if isinstance(made, Abandoned | Blocked):
                await book.record(IMPROVEMENT, id, made, cause=cause)
            else:
                await self.bench.hand_over(id, made[0], Phase.REQUIREMENTS, cause, made[1])

    async def _specified(
        self, id: str, found: Discovered, target: Target, token: int, cause: Cause
    ) -> tuple[RequirementsSpecified, str] | Abandoned | Blocked:
        """What must hold after a request; why it is not done or waits, where no engine says."""
        if self.consultant is None:
            return Abandoned(reason=NOT_CAPABLE)
        files = tuple(await (await self.bench.clone(found.target, found.base)).entries(found.base))
        async with self.bench.worktree(found.target, f"{id}-specify", found.base) as tree:
            try:
                return await specified(
                    self.bench.book, self.consultant, id, found, target, tree, files, token, cause
                )
            except NotAnswered as nobody:
                return halted("no engine said what must hold", nobody, id)

    async def _of_rule(
        self, id: str, found: Discovered, target: Target, token: int
    ) -> tuple[RequirementsSpecified, str]:
        scan = target.scans[found.scan].done
        assert scan is not None  # noqa: S101 -- an improvement is discovered by a finished scan
        count = scan.findings.get(found.rule, 0)
        left = count - found.expected
        feature = rule_improvement_feature(
            found.rule, found.title, found.why, found.base, left, scan.packages
        )
        fact = RequirementsSpecified(
            claim=token,
            requirements=requirements(found, count),
            feature=await self.bench.book.keep(feature, f"{id}.feature", GHERKIN),
        )
        return fact, feature
