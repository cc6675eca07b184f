"""Services that are told to end, end: also those that did not hear it the first time."""

import asyncio

import pytest

from services.runtime.ending import end, end_all
from services.runtime.supervisor import GaveUp, Service, supervise

MOMENT = 0.01


class Deaf:
    """Does not hear the first of its cancellations, as a wait that is just then over does not."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True


async def test_a_service_that_lost_its_cancellation_is_told_again() -> None:
    deaf = [Deaf(), Deaf()]
    running = asyncio.create_task(supervise([Service("one", one.run) for one in deaf], closing=MOMENT))
    for one in deaf:
        await one.began.wait()
    async with asyncio.timeout(30):
        await end(running)
    assert [one.ended for one in deaf] == [True, True]


async def test_all_are_waited_for_also_by_who_is_cancelled_meanwhile() -> None:
    deaf = Deaf()
    task = asyncio.create_task(deaf.run())
    await deaf.began.wait()
    ending = asyncio.create_task(end_all([task], MOMENT))
    await asyncio.sleep(0)
    ending.cancel()
    async with asyncio.timeout(30):
        await ending
    assert deaf.ended


async def test_one_that_gives_up_ends_the_others_and_is_told() -> None:
    deaf = Deaf()

    async def dies() -> None:
        await deaf.began.wait()
        raise ValueError("no more")

    with pytest.raises(GaveUp, match="one died 1 times: no more"):
        await supervise([Service("one", dies), Service("two", deaf.run)], back_off=(), closing=MOMENT)
    assert deaf.ended
