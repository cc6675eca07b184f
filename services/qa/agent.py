"""QA: measures the suite before any change, tries changes together, and gives each its verdict."""

from dataclasses import dataclass, field

from events.batch import BATCH, Batch, Formed
from events.catalogue import read_fact
from events.envelope import Cause
from events.fact import Rejected
from events.improvement import IMPROVEMENT, Improvement
from events.store import Recorded
from events.target import TARGET, Scan
from services.changes.release import start_of
from services.qa.baseline import record_baseline
from services.qa.closing import close
from services.qa.material import Material, material_of
from services.qa.policy import NOT_YET, RecordBaseline, TryTogether, ready, whenever
from services.qa.trial import Trial
from services.runtime.workbench import Workbench


@dataclass(frozen=True)
class QA:
    """Reacts to scans, implemented changes and abandoned ones."""

    bench: Workbench
    role: str = "qa"
    _materials: dict[str, Material] = field(default_factory=dict)

    async def react(self, event: Recorded) -> None:
        """Measure, try or close, as the policy says."""
        cause = self.bench.cause(event)
        match whenever(event.envelope.address.id, read_fact(event.envelope)):
            case RecordBaseline(target=target, scan=scan):
                await self._baseline(target, scan, cause)
            case TryTogether(improvement=id):
                await self._try(id, cause)
            case None:
                return

    async def _baseline(self, target: str, scan: str, cause: Cause) -> None:
        state = await self.bench.book.state(TARGET, target)
        asked = state.scans[scan]
        if asked.requested.look_only or state.baseline_at(asked.requested.base) is not None:
            return
        await record_baseline(self.bench, target, asked, cause)

    async def _try(self, id: str, cause: Cause) -> None:
        book = self.bench.book
        discovered = (await book.state(IMPROVEMENT, id)).discovered
        assert discovered is not None  # noqa: S101 -- only a discovered improvement is implemented
        target = await book.state(TARGET, discovered.target)
        scan = target.scans[discovered.scan]
        batch_id, batch = await self._open_batch(scan.id)
        states = await self._states(scan)  # after the batch: one closed meanwhile left nothing to be formed
        if batch.formed is None:
            members = ready(states)
            if not members:
                return
            formed = await self._formed(discovered.target, scan, members)
            try:
                await book.record(BATCH, batch_id, formed, cause=cause)
            except Rejected:
                return  # another copy formed it, from the same facts
            batch = await book.state(BATCH, batch_id)
        await self._work(batch_id, batch, states, cause)

    async def _work(self, batch_id: str, batch: Batch, states: dict[str, Improvement], cause: Cause) -> None:
        assert batch.formed is not None  # noqa: S101 -- the caller formed it
        if batch.settled is None:
            async with self.bench.claim(BATCH, batch_id, "trial", cause) as held:
                await Trial(self.bench, await self._material(batch_id), held.token, cause).run()
            batch = await self.bench.book.state(BATCH, batch_id)
        if batch.formed is None or batch.settled is None or batch.closed is not None:
            return
        states = await self.bench.book.states(IMPROVEMENT, batch.formed.members)
        if not any(states[i].status in NOT_YET for i in batch.settled.smaller):
            async with self.bench.claim(BATCH, batch_id, "verdicts", cause) as held:
                await close(await self._material(batch_id), held.token, cause)

    async def _material(self, batch_id: str) -> Material:
        """What a batch is judged on, with the stacks made so far; of one batch at a time."""
        if batch_id not in self._materials:
            self._materials.clear()
            self._materials[batch_id] = await material_of(self.bench, batch_id)
        return self._materials[batch_id]

    async def _states(self, scan: Scan) -> dict[str, Improvement]:
        return await self.bench.book.states(IMPROVEMENT, scan.done.improvements if scan.done else ())

    async def _open_batch(self, scan: str) -> tuple[str, Batch]:
        number = 1
        while (batch := await self.bench.book.state(BATCH, f"{scan}-b{number}")).closed is not None:
            number += 1
        return f"{scan}-b{number}", batch

    async def _formed(self, target_id: str, scan: Scan, members: tuple[str, ...]) -> Formed:
        target = await self.bench.book.state(TARGET, target_id)
        assert target.registered is not None  # noqa: S101 -- only a registered target is scanned
        start = await start_of(self.bench.workspace, target_id, target.registered.path, scan.requested.base)
        return Formed(target=target_id, scan=scan.id, base=start, members=members)
