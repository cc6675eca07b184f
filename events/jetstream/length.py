"""How far a log reached: one that ends before that takes nothing more.

Rules
1. Others who know how far it reached are asked before the first append, and before the first after each
   reconnect: a server may come back with less than it had. In between an append costs nothing more.
2. An append that got a place which was another event's already tells by that, and they are asked again.
3. Where not all who know could be asked, they are asked again after a while.
"""

import asyncio
from collections.abc import Awaitable, Callable

from nats.aio.client import Client

from events.store import Shortened

# Given how far this program knows the log to have reached; False where not all who know could be asked.
# Raises `Shortened`.
Require = Callable[[int], Awaitable[bool]]

AGAIN_SECONDS = 30.0
LOST = "it lost its end, or is another log"
NEVER = -1


class Length:
    """How far the log reached as one store knows it, and whether it was found to reach there."""

    def __init__(
        self,
        connection: Client,
        head: Callable[[], Awaitable[int]],
        require: Require | None = None,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        """Without `require` the store goes by what it appended itself. The connection stays the caller's."""
        self.reached = 0
        self._connection = connection
        self._head = head
        self._require = require or self._require_own
        self._again_seconds = again_seconds
        self._lock = asyncio.Lock()
        self._looked_at = NEVER if require else self._times
        self._again_at: float | None = None

    @property
    def _times(self) -> int:
        """How often the connection came back: another server, or the same with other data, may be there."""
        return int(self._connection.stats["reconnects"])

    @property
    def is_known(self) -> bool:
        """Whether appends may go out without a look."""
        if self._looked_at != self._times:
            return False
        return self._again_at is None or asyncio.get_running_loop().time() < self._again_at

    async def look(self) -> None:
        """Find the log as long as it was, once for all who wait. Raises `Shortened`, `Unavailable`."""
        async with self._lock:
            if self.is_known:
                return
            times = self._times
            certain = await self._require(self.reached)
            self._looked_at = times
            self._again_at = None if certain else asyncio.get_running_loop().time() + self._again_seconds

    def take(self, before: int, first: int, last: int) -> None:
        """Take in an append that got the places `first` to `last`, begun where the log reached `before`.

        Raises `Shortened` where they were given before.
        """
        if first <= before:
            self._looked_at = NEVER
            raise Shortened(f"the log gave sequence {first} again, and had reached {before} before: {LOST}")
        self.reached = max(self.reached, last)

    async def _require_own(self, reached: int) -> bool:
        head = await self._head()
        if head < reached:
            raise Shortened(f"the log ends at {head}, and had reached {reached} before: {LOST}")
        return True
