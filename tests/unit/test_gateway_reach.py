"""Who waits for a server, and when nobody does any more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.gateway.reach.reach import Reach
from services.runtime.ending import end

PATIENCE = 30.0


class Away(Exception):  # noqa: N818 -- what is told
    """What is raised for a server that is away."""


class Server:
    """Gives its word, or none; counts how often it was asked."""

    def __init__(self) -> None:
        self.is_up = True
        self.asked = asyncio.Semaphore(0)

    async def word(self) -> None:
        self.asked.release()
        if not self.is_up:
            raise OSError("no route")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def reach(server: Server) -> AsyncIterator[Reach]:
    reach = Reach("a server", server.word, Away, patient_seconds=0.01)
    running = asyncio.create_task(reach.run())
    try:
        yield reach
    finally:
        await end(running)


async def wait(reach: Reach, answer: "asyncio.Future[int]") -> int:
    async with asyncio.timeout(PATIENCE), reach.awaited():
        return await answer


async def test_who_waits_for_a_server_that_gives_no_word_is_let_go(reach: Reach, server: Server) -> None:
    server.is_up = False
    with pytest.raises(Away, match="no route"):
        await wait(reach, asyncio.get_running_loop().create_future())


async def test_what_takes_long_is_waited_for_while_the_server_gives_its_word(
    reach: Reach, server: Server
) -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait(reach, answer))
    for _ in range(3):
        await server.asked.acquire()
    answer.set_result(7)
    assert await waiting == 7


async def test_nobody_begins_to_wait_for_what_is_away_until_it_is_back(reach: Reach, server: Server) -> None:
    server.is_up = False
    with pytest.raises(Away):
        await wait(reach, asyncio.get_running_loop().create_future())
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(7)
    with pytest.raises(Away, match="no route"):
        await wait(reach, done)
    server.is_up = True
    while reach.is_away:
        await server.asked.acquire()
    assert await wait(reach, done) == 7


async def test_a_server_that_nobody_waits_for_is_not_asked(reach: Reach, server: Server) -> None:
    async with reach.awaited():
        await server.asked.acquire()
    asked = server.asked
    while not asked.locked():
        await asked.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asked.acquire()


async def test_who_is_cancelled_while_waiting_is_cancelled_and_told_nothing(
    reach: Reach, server: Server
) -> None:
    waiting = asyncio.create_task(wait(reach, asyncio.get_running_loop().create_future()))
    await server.asked.acquire()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not reach.is_away


async def test_what_fails_by_itself_fails_as_it_did(reach: Reach) -> None:
    with pytest.raises(TimeoutError, match="its own"):
        async with reach.awaited():
            raise TimeoutError("its own")
