"""What one server of a cluster has and another has not yet: how long it is waited for.

Any replica answers a direct get, also one that lags behind. What was stored is never gone, so what is
known to be there is asked for again, until every replica had time to catch up.
"""

import asyncio
from collections.abc import Iterator

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

    def __init__(self, patience: float) -> None:
        """`patience` is that of the call, in seconds; no longer than a replica may take is waited."""
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + min(patience, LAG_SECONDS)
        self._pauses = pauses()

    async def wait(self, what: str) -> None:
        """Wait a little longer than the time before; raise `Broken`, saying `what`, when it is over."""
        pause = next(self._pauses)
        if self._clock() + pause > self._deadline:
            raise Broken(what)
        await asyncio.sleep(pause)
