"""An agent holds its work while it does it, and gives it back whatever happens."""

import asyncio
from datetime import datetime, timedelta

import pytest

from events.envelope import Cause
from events.fact import Rejected
from events.improvement import IMPROVEMENT
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.swarm import ALL, SWARM, Paused
from services.runtime.claims import ROLLBACK, Halted, Held, Later, claim
from services.runtime.log import Log
from tests import projection_facts as f
from tests.projection_facts import START

LEASE = 60.0


class Time:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def book(time: Time) -> Log:
    log = Log(InMemoryEventStore(time), InMemoryArtefacts(), time)
    await log.record(IMPROVEMENT, "imp-1", f.discovered(), cause=of("pm-0"))
    return log


def of(agent: str) -> Cause:
    return Cause(actor=agent, source="aps/test", correlation="00000000-0000-0000-0000-000000000001")


async def told(book: Log) -> list[str]:
    recorded, _ = await book.store.read("improvement", "imp-1")
    return [event.envelope.address.fact for event in recorded]


async def finish(book: Log, held: Held, agent: str) -> None:
    await book.record(IMPROVEMENT, "imp-1", f.specified(held.token), cause=of(agent))


async def test_finished_work_is_not_given_back(book: Log) -> None:
    async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE) as held:
        assert held.token == 2
        await finish(book, held, "pm-1")
    assert await told(book) == ["discovered", "work_claimed", "requirements_specified"]


async def test_work_left_undone_is_given_back(book: Log) -> None:
    async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE):
        pass
    assert await told(book) == ["discovered", "work_claimed", "work_released"]


async def test_a_failure_gives_the_work_back_and_says_why(book: Log) -> None:
    with pytest.raises(ZeroDivisionError):
        async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE):
            raise ZeroDivisionError("by nought")
    recorded, _ = await book.store.read("improvement", "imp-1")
    released = WorkReleased.model_validate(recorded[-1].envelope.data)
    assert released == WorkReleased(claim=2, reason="by nought")


async def test_while_everything_is_paused_no_work_is_claimed(book: Log) -> None:
    await book.record(SWARM, ALL, Paused(reason="wait"), cause=of("cli"))
    with pytest.raises(Halted, match=r"everything is paused \(wait\)"):
        async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE):
            pytest.fail("work began in a paused swarm")
    assert await told(book) == ["discovered"]
    async with claim(book, IMPROVEMENT, "imp-1", ROLLBACK, of("deployer-1"), LEASE):
        pass


async def test_what_was_begun_before_a_pause_is_finished(book: Log) -> None:
    async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE) as held:
        await book.record(SWARM, ALL, Paused(reason="wait"), cause=of("cli"))
        await finish(book, held, "pm-1")
    assert (await told(book))[-1] == "requirements_specified"


async def test_who_comes_second_is_told_when_to_come_again(book: Log, time: Time) -> None:
    async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE):
        time.passes(20)
        with pytest.raises(Later, match="claimed by pm-1") as later:
            async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-2"), LEASE):
                pytest.fail("two held the work at once")
    assert later.value.seconds == pytest.approx(40.1)


async def test_a_holder_whose_lease_ran_out_cannot_finish_and_the_log_shows_who_won(
    book: Log, time: Time
) -> None:
    with pytest.raises(Rejected, match="not possible while the improvement is requirements_complete"):
        async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE) as slow:
            time.passes(LEASE)
            with pytest.raises(Rejected, match="lease of pm-1 ran out"):
                await finish(book, slow, "pm-1")
            async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-2"), LEASE) as fast:
                with pytest.raises(Rejected, match="held by pm-2"):
                    await finish(book, slow, "pm-1")
                await finish(book, fast, "pm-2")
            await finish(book, slow, "pm-1")
    recorded, _ = await book.store.read("improvement", "imp-1")
    assert [(e.envelope.address.fact, e.envelope.actor) for e in recorded[1:]] == [
        ("work_claimed", "pm-1"),
        ("work_claimed", "pm-2"),
        ("requirements_specified", "pm-2"),
    ]


async def test_a_lost_lease_ends_without_touching_the_new_holders(book: Log, time: Time) -> None:
    async with claim(book, IMPROVEMENT, "imp-1", "requirements", of("pm-1"), LEASE):
        time.passes(LEASE)
        taken = WorkClaimed(
            agent="pm-2", work="requirements", lease_until=time.now + timedelta(seconds=LEASE)
        )
        await book.record(IMPROVEMENT, "imp-1", taken, cause=of("pm-2"))
    running = (await book.state(IMPROVEMENT, "imp-1")).claim
    assert (running.agent, running.token) == ("pm-2", 3)


async def test_a_held_lease_is_renewed_in_the_background(book: Log) -> None:
    async with asyncio.timeout(5), claim(book, IMPROVEMENT, "imp-1", "x", of("pm-1"), 0.03):
        async for event in book.store.live():
            if event.envelope.address.fact == WorkRenewed.name:
                break
    assert event.envelope.data["claim"] == 2
