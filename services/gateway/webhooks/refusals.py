"""Records what was refused at web hooks, so that a flood of it cannot fill the log.

Rules
1. The first of its kind is recorded at once; what follows within seconds is counted, and recorded together.
2. A kind is a web hook and one of few reasons, never what a sender chose: so many a time is all there is.
3. Nothing is lost at an ordinary end: what was counted is recorded then. While the log is away it is kept.
"""

import asyncio
from datetime import datetime
from uuid import uuid4

import structlog

from events.delivery import DELIVERY, Refused
from events.envelope import Cause
from events.store import Unavailable
from schemas.delivery import Source
from services.runtime.ground import actor
from services.runtime.log import Log

SECONDS = 10.0
LONGEST = 100

log = structlog.get_logger()
Kind = tuple[Source, str]


def day_of(now: datetime) -> str:
    """Return a day as it stands in ids."""
    return f"{now:%Y%m%d}"


def shown(text: str) -> str:
    """Return what a stranger sent as plain characters, shortened."""
    return "".join(one if "!" <= one <= "~" else "?" for one in text[:LONGEST])


class Refusals:
    """Counts for one gateway; `run` is to be run beside it."""

    def __init__(self, book: Log, seconds: float = SECONDS) -> None:
        """Count nothing yet."""
        self._book = book
        self._seconds = seconds
        self._recent: set[Kind] = set()
        self._pending: dict[Kind, Refused] = {}

    async def tell(self, source: Source, why: str, address: str, event: str, key: str) -> None:
        """Count one; the first of its kind is on the log when this returns, if the log can be reached."""
        kind = (source, why)
        times = self._pending[kind].times + 1 if kind in self._pending else 1
        self._pending[kind] = Refused(
            source=source,
            why=why,
            address=shown(address),
            event=shown(event),
            key=shown(key),
            times=times,
        )
        if kind not in self._recent:
            self._recent.add(kind)
            await self._record(kind)

    async def run(self) -> None:
        """Record what was counted, time and again, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._seconds)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Record all that was counted; what follows on it is held back again."""
        self._recent = set(self._pending)
        for kind in tuple(self._pending):
            await self._record(kind)

    async def _record(self, kind: Kind) -> None:
        fact = self._pending.pop(kind)
        cause = Cause(f"{actor('gateway')}/{fact.source}", "aps/gateway", correlation=str(uuid4()))
        id = f"refused-{fact.source}-{day_of(self._book.clock())}"
        try:
            await self._book.record(DELIVERY, id, fact, cause=cause)
        except (Unavailable, TimeoutError) as away:
            log.warning("a refusal could not be recorded yet", why=fact.why, problem=str(away))
            later = self._pending.get(kind)
            times = fact.times + (later.times if later else 0)
            self._pending[kind] = (later or fact).model_copy(update={"times": times})
