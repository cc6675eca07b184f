"""What waits too long is escalated once, with who or what can end it, and no longer than it waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from events import swarm, target
from events.budget import BUDGET, Exhausted, Opened
from events.envelope import Cause
from events.escalation import Escalated
from events.fact import AggregateType, Fact, Rejected
from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned, Blocked, Retried, Unblocked
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.past import Past
from events.swarm import ALL, SWARM
from events.target import TARGET
from schemas.obstacle import Obstacle
from services.devops.escalating import Lookout
from services.runtime.log import Log
from tests import projection_facts as f
from tests.projection_facts import START

DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
CAUSE = Cause(actor="cli@test", source="aps/test", correlation=str(UUID(int=7)))
BLOCKED = Blocked(reason="risk high is above medium", needs="a person: aps improvements approve one")


class Watched:
    """A log, a copy of DevOps that looks at it, and the time."""

    def __init__(self) -> None:
        self.now = START
        self.store = InMemoryEventStore(self._clock)
        self.book = Log(self.store, InMemoryArtefacts(), self._clock)
        self.lookout = self.another()

    def _clock(self) -> datetime:
        return self.now

    def another(self) -> Lookout:
        """One more copy."""
        return Lookout(self.book, "devops@test", DAY)

    async def tell(self, kind: AggregateType[Any], id: str, *facts: Fact) -> None:
        for fact in facts:
            await self.book.record(kind, id, fact, cause=CAUSE)

    async def after(self, time: timedelta) -> Sequence[Escalated]:
        """Let time pass, then look."""
        self.now += time
        return await self.lookout.look()


@pytest.fixture
async def watched() -> Watched:
    place = Watched()
    await place.tell(IMPROVEMENT, "one", f.discovered())
    return place


async def test_what_waits_for_a_person_is_told_after_the_time_and_once(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    assert await watched.after(DAY - SECOND) == ()
    (told,) = await watched.after(SECOND)
    assert (told.obstacle, told.since, told.reason) == (Obstacle.PERSON, START, BLOCKED.reason)
    assert told.blockers == (BLOCKED.needs,)
    assert await watched.after(DAY) == ()
    assert await watched.another().look() == ()
    state = await watched.book.state(IMPROVEMENT, "one")
    assert state.escalated == told


async def test_another_reason_for_the_same_wait_is_not_told_again(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    assert len(await watched.after(DAY)) == 1
    await watched.tell(IMPROVEMENT, "one", Blocked(reason="a dry run lands nothing", needs="a run"))
    assert await watched.after(DAY) == ()


async def test_a_wait_that_begins_anew_is_told_anew(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    assert len(await watched.after(DAY)) == 1
    await watched.tell(IMPROVEMENT, "one", Unblocked(reason="looked at"))
    assert (await watched.book.state(IMPROVEMENT, "one")).escalated is None
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    assert await watched.after(HOUR) == ()
    assert len(await watched.after(DAY)) == 1


async def test_what_waits_no_more_is_not_told(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    assert await watched.after(HOUR) == ()
    await watched.tell(IMPROVEMENT, "one", Abandoned(reason="not wanted"))
    assert await watched.after(DAY) == ()
    await watched.tell(IMPROVEMENT, "one", Retried(reason="wanted after all"))
    assert await watched.after(DAY) == ()


def claim(watched: Watched, agent: str, work: str = "requirements") -> WorkClaimed:
    return WorkClaimed(agent=agent, work=work, lease_until=watched.now + 15 * SECOND)


async def test_work_that_nobody_took_over_is_told_with_who_holds_it(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", claim(watched, "pm@a"))
    assert await watched.after(DAY) == ()
    (told,) = await watched.after(15 * SECOND)
    assert (told.obstacle, told.blockers) == (Obstacle.CLAIM, ("pm@a",))
    assert "not heard of again" in told.reason


async def test_work_whose_holders_die_one_after_another_is_told_once(watched: Watched) -> None:
    for hour in range(25):
        await watched.tell(IMPROVEMENT, "one", claim(watched, f"pm@{hour}"))
        told = await watched.after(HOUR)
        assert len(told) == (1 if hour == 23 else 0), hour
    state = await watched.book.state(IMPROVEMENT, "one")
    assert state.escalated is not None
    assert state.escalated.since == START
    assert "24 times" in state.escalated.reason


async def test_work_that_is_renewed_or_given_back_does_not_wait(watched: Watched) -> None:
    await watched.tell(IMPROVEMENT, "one", claim(watched, "pm@a"))
    held = (await watched.book.state(IMPROVEMENT, "one")).claim
    assert held is not None
    token = held.token
    watched.now += 10 * SECOND
    await watched.tell(IMPROVEMENT, "one", WorkRenewed(claim=token, lease_until=watched.now + 2 * DAY))
    assert await watched.after(DAY + HOUR) == ()
    await watched.tell(IMPROVEMENT, "one", WorkReleased(claim=token, reason="done"))
    assert await watched.after(3 * DAY) == ()


async def test_other_work_on_the_same_target_is_another_wait(watched: Watched) -> None:
    registered = target.Registered(path="/srv/shelf", title="shelf", origin="")
    await watched.tell(TARGET, "shelf", registered, claim(watched, "pm@a", "scan"))
    assert await watched.after(DAY - HOUR) == ()
    await watched.tell(TARGET, "shelf", claim(watched, "qa@a", "baseline"))
    assert await watched.after(2 * HOUR) == ()


async def test_a_pause_is_told_with_who_began_it_and_what_ends_it(watched: Watched) -> None:
    await watched.tell(SWARM, ALL, swarm.Paused(reason="a release"))
    (told,) = await watched.after(DAY)
    assert (told.obstacle, told.reason) == (Obstacle.PAUSE, "a release")
    assert told.blockers == ("cli@test, who paused it", "aps resume")
    await watched.tell(SWARM, ALL, swarm.Resumed())
    assert (await watched.book.state(SWARM, ALL)).escalated is None
    assert await watched.after(DAY) == ()


async def test_an_exhausted_budget_is_told_unless_its_time_is_over(watched: Watched) -> None:
    spent = Exhausted(asked_micros=5, reason="nothing is left")
    await watched.tell(BUDGET, "month", Opened(limit_micros=0, limit_runs=1), spent)
    until = watched.now + 2 * HOUR
    await watched.tell(BUDGET, "day", Opened(limit_micros=0, limit_runs=1, until=until), spent)
    (told,) = await watched.after(DAY)
    assert told.obstacle is Obstacle.BUDGET
    assert told.blockers[0] == "its limit of $0.00 and 1 calls"
    assert (await watched.book.state(BUDGET, "month")).escalated == told
    await watched.tell(BUDGET, "month", Opened(limit_micros=10, limit_runs=9))
    assert (await watched.book.state(BUDGET, "month")).escalated is None


@pytest.mark.parametrize("changed", [{"since": START + SECOND}, {"obstacle": Obstacle.PAUSE}])
async def test_what_does_not_wait_so_cannot_be_told(watched: Watched, changed: dict[str, object]) -> None:
    await watched.tell(IMPROVEMENT, "one", BLOCKED)
    fact = Escalated(obstacle=Obstacle.PERSON, since=START, reason="r", blockers=())
    with pytest.raises(Rejected, match="nothing has waited so"):
        await watched.tell(IMPROVEMENT, "one", fact.model_copy(update=changed))
    await watched.tell(IMPROVEMENT, "one", fact)
    with pytest.raises(Rejected, match="it is known"):
        await watched.tell(IMPROVEMENT, "one", fact)


class Counted(InMemoryEventStore):
    """A store that counts how often an aggregate is read."""

    reads = 0

    async def read(self, aggregate: str, id: str) -> Past:
        self.reads += 1
        return await super().read(aggregate, id)


async def test_what_did_not_move_and_does_not_wait_is_not_read_again(watched: Watched) -> None:
    store = Counted(lambda: START)
    watched.store, watched.book = store, Log(store, InMemoryArtefacts(), lambda: watched.now)
    watched.lookout = watched.another()
    for n in range(5):
        await watched.tell(IMPROVEMENT, f"i-{n}", f.discovered(), BLOCKED, Unblocked(reason="seen"))
    store.reads = 0
    await watched.lookout.look()
    assert store.reads == 5
    await watched.lookout.look()
    assert store.reads == 5
    await watched.tell(IMPROVEMENT, "i-3", BLOCKED)
    store.reads = 0
    await watched.lookout.look()
    await watched.lookout.look()
    assert store.reads == 2
