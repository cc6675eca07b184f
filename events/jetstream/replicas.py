"""What one server of a cluster has and another has not yet: how long it is waited for.

Any replica answers a direct get, also one that lags behind. What was stored is never gone, so what is
known to be there is asked for again, until every replica had time to catch up. Then the leader is asked
whether it is there at all: where none answers, the cluster is in parts, and the log is not to blame.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from events.store import Broken

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LAG_SECONDS = 5.0


def pauses() -> Iterator[float]:
    """Yield how long to wait between attempts, longer each time, for ever."""
    yield from PAUSES
    while True:
        yield PAUSES[-1]


class Lag:
    """One wait for something that is known to be there."""

    def __init__(self, patience: float, leader: Callable[[], Awaitable[object]]) -> None:
        """`patience` is that of the call, in seconds; no longer than a replica may take is waited.

        `leader` is something only the leader answers; it raises `Unavailable` where there is none.
        """
        self._leader = leader
        self._left = min(patience, LAG_SECONDS)  # of pauses: time without any answer tells nothing
        self._pauses = pauses()

    async def wait(self, what: str) -> None:
        """Wait a little longer than before; at the end raise `Broken`, saying `what`, or `Unavailable`."""
        pause = next(self._pauses)
        self._left -= pause
        if self._left < 0:
            await self._leader()
            raise Broken(what)
        await asyncio.sleep(pause)
