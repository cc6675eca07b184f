"""Records what was refused at web hooks, so that a flood of it cannot fill the log.

Rules
1. The first of its kind is recorded at once; what follows within seconds is counted, and recorded together.
2. A kind is a web hook and one of few reasons, never what a sender chose: so many a time is all there is.
3. Nothing is lost at an ordinary end: what was counted is recorded then. While the log is away it is kept.
"""

from datetime import datetime
from uuid import uuid4

import structlog

from events.delivery import DELIVERY, Refused
from events.envelope import Cause
from events.store import Unavailable
from schemas.delivery import Source
from services.gateway.counted import SECONDS, Counted
from services.runtime.ground import actor
from services.runtime.log import Log

LONGEST = 100

log = structlog.get_logger()
Kind = tuple[Source, str]


def day_of(now: datetime) -> str:
    """Return a day as it stands in ids."""
    return f"{now:%Y%m%d}"


def shown(text: str) -> str:
    """Return what a stranger sent as plain characters, shortened."""
    return "".join(one if "!" <= one <= "~" else "?" for one in text[:LONGEST])


class Refusals(Counted[Kind, Refused]):
    """Counts for one gateway; `run` is to be run beside it."""

    def __init__(self, book: Log, seconds: float = SECONDS) -> None:
        """Count nothing yet."""
        super().__init__(seconds)
        self._book = book

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
        await self._record_first(kind)

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
