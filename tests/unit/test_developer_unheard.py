"""A copy that died at its work left a run that nobody ends, until the work is taken over."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.lease import WorkClaimed
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.run import RUN, Completed, Failed, Requested, Started
from services.developer.unheard import UNHEARD, abandoned_runs, run_id
from services.runtime.log import Log
from tests.projection_facts import discovered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(actor="test", source="aps/test", correlation=str(uuid4()))
ASKED = Requested(improvement="i1", role="developer", engine="deterministic", model="", task="write")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=10)
        return self.now


async def claimed(book: Log, agent: str) -> int:
    until = book.clock() + timedelta(minutes=11)
    claim = WorkClaimed(agent=agent, work="implementation", lease_until=until)
    return (await book.record(IMPROVEMENT, "i1", claim, cause=CAUSE)).version


async def test_who_takes_work_over_ends_the_runs_of_those_before() -> None:
    clock = Clock()
    book = Log(InMemoryEventStore(clock), InMemoryArtefacts(), clock)
    await book.record(IMPROVEMENT, "i1", discovered(), cause=CAUSE)
    dead, done, mine = (
        await claimed(book, "a"),
        await claimed(book, "b"),
        await claimed(book, "c"),
    )
    for token in (dead, done, mine):
        await book.record(RUN, run_id("i1", token), ASKED, Started(), cause=CAUSE)
    await book.record(RUN, run_id("i1", done), Completed(duration_ms=1), cause=CAUSE)

    ends = await abandoned_runs(book, "i1", mine)
    assert [change.id for change in ends] == [run_id("i1", dead)]
    await book.record_all(ends, CAUSE)
    ended = (await book.state(RUN, run_id("i1", dead))).ended
    assert isinstance(ended, Failed)
    assert ended.reason == UNHEARD
    assert await abandoned_runs(book, "i1", mine) == []
