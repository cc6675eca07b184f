"""When QA forms a batch: from what stands after it looked which batch is open, never from before."""

from collections.abc import Iterable
from pathlib import Path

from events.batch import BATCH
from events.fact import AggregateType
from schemas.risk import RiskClass
from services.qa.agent import QA
from services.runtime.log import Log, StateT
from services.runtime.settings import load
from services.runtime.workbench import Workbench
from services.sandbox.port import Limits
from services.sandbox.unsandboxed import Unsandboxed
from services.workspace.checkout import Workspace
from tests.cycle_example import SCAN, B, Recorder, implemented, judged


class Overtaken(Log):
    """A log on which another copy of QA forms, tries and closes the batch right after the first look."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder.book.store, recorder.book.artefacts, recorder.clock)
        self._recorder, self._looked = recorder, False

    async def state(self, kind: AggregateType[StateT], id: str) -> StateT:
        found = await super().state(kind, id)
        if kind.name == BATCH.name:
            await self._overtake()
        return found

    async def states(self, kind: AggregateType[StateT], ids: Iterable[str]) -> dict[str, StateT]:
        found = {id: await Log.state(self, kind, id) for id in ids}
        await self._overtake()
        return found

    async def _overtake(self) -> None:
        if not self._looked:
            self._looked = True
            await judged(self._recorder)


def bench_on(book: Log, home: Path) -> Workbench:
    return Workbench(
        book=book,
        actor="qa@one",
        lease_seconds=5,
        workspace=Workspace(home),
        sandbox=Unsandboxed(),
        limits=Limits(wall_seconds=5),
        autonomy=RiskClass.LOW,
        settings=load({"APS_HOME": str(home)}),
    )


async def test_a_batch_that_another_copy_closed_meanwhile_is_not_formed_again(tmp_path: Path) -> None:
    recorder = Recorder()
    await implemented(recorder)
    *_, last = [event async for event in recorder.book.store.read_all()]
    await QA(bench_on(Overtaken(recorder), tmp_path)).react(last)
    closed = await recorder.book.state(BATCH, B)
    following = await recorder.book.state(BATCH, f"{SCAN}-b2")
    assert closed.closed is not None
    assert following.formed is None
