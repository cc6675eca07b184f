"""The gateway's way with dead letters: reads them, has a role take an event again, closes them.

Rules
1. A letter is closed as replayed only after the role said that it was done with the event.
2. Why a try failed is told by this copy of the gateway for as long as it runs; the letter stays open.
3. One try at a time for a letter.
"""

import asyncio
from contextlib import AsyncExitStack

import structlog
from nats.aio.client import Client

from events.store import Unavailable
from services.gateway.reach.reach import Reach
from services.runtime.ending import end
from services.runtime.log import Clock
from services.runtime.replaying import Taken, taken_by
from services.steering.letters import ClosedMeanwhile, Closing, DeadLetter, close, letters

DONE = "the role was done with it"

log = structlog.get_logger()


class Redelivery:
    """Dead letters over one connection, which stays the caller's."""

    def __init__(self, connection: Client, clock: Clock, reach: Reach) -> None:
        """Try nothing yet. `reach` is the way to the connection's server."""
        self._connection = connection
        self._reach = reach
        self._clock = clock
        self._trying: dict[int, asyncio.Task[None]] = {}
        self._failures: dict[int, str] = {}

    async def all(self) -> list[DeadLetter]:
        """Return every letter, oldest first. Raises `Unavailable`."""
        async with self._reach.awaited():
            return await letters(self._connection)

    def under_way(self, number: int) -> bool:
        """Whether a role is at the event of a letter now."""
        return number in self._trying

    def failure(self, number: int) -> str:
        """Return why the last try of a letter failed, empty where none did."""
        return self._failures.get(number, "")

    async def discard(self, letter: DeadLetter, reason: str, by: str, key: str) -> None:
        """Close a letter without doing anything. Raises `ClosedMeanwhile`, `Unavailable`."""
        closing = Closing(
            letter=letter.number, how="discarded", reason=reason, by=by, at=self._clock(), key=key
        )
        async with self._reach.awaited():
            await close(self._connection, closing, letter.closed_number)

    async def replay(self, letter: DeadLetter, by: str, key: str) -> None:
        """Have its role take the event; return as soon as a copy does. Raises `NobodyThere`.

        Where it is under way already, nothing is asked.
        """
        if self.under_way(letter.number):
            return
        async with AsyncExitStack() as closing:
            taken = await closing.enter_async_context(taken_by(self._connection, letter.role, letter.seq))
            rest = closing.pop_all()
        following = self._follow(letter, taken, rest, by, key)
        self._trying[letter.number] = asyncio.create_task(following)

    async def _follow(
        self, letter: DeadLetter, taken: Taken, rest: AsyncExitStack, by: str, key: str
    ) -> None:
        number = letter.number
        try:
            async with rest:
                failure = await taken.outcome()
            self._failures.pop(number, None)
            if failure:
                self._failures[number] = failure
                log.warning("replayed in vain", letter=number, role=letter.role, failure=failure)
                return
            closing = Closing(letter=number, how="replayed", reason=DONE, by=by, at=self._clock(), key=key)
            await close(self._connection, closing, letter.closed_number)
        except (ClosedMeanwhile, Unavailable) as problem:
            self._failures[number] = f"the role was done with it, and it could not be closed: {problem}"
        finally:
            self._trying.pop(number, None)

    async def end(self) -> None:
        """Wait for nothing more; what a role does it goes on with."""
        for task in tuple(self._trying.values()):
            await end(task)
