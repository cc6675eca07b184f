"""Records on the log who was not let in, or was refused something.

Rules
1. Every denial is a fact on the token it was told with, else on `nobody`. Those that come close together
   from one address are recorded as one, with their number.
"""

from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from aiohttp import web

from events.access import ACCESS, NOBODY, Denied
from events.envelope import Cause
from events.store import Unavailable
from services.runtime.ground import actor
from services.runtime.log import Log
from services.runtime.tracing import current

TOGETHER = timedelta(seconds=10)
MOST_KNOWN = 1000
LONGEST = 200

log = structlog.get_logger()


class Denials:
    """The denials of one gateway."""

    def __init__(self, book: Log) -> None:
        """Know of none yet."""
        self._book = book
        self._held_back: dict[tuple[str, str], tuple[datetime, int]] = {}

    async def tell(self, request: web.Request, id: str, why: str) -> None:
        """Record a denial; one more of many within seconds is counted, and told with the next."""
        now, address = self._book.clock(), request.remote or ""
        last, times = self._held_back.get((id, address), (None, 0))
        if last is not None and now - last < TOGETHER:
            self._held_back[id, address] = (last, times + 1)
            return
        if len(self._held_back) >= MOST_KNOWN:
            self._held_back.clear()
        self._held_back[id, address] = (now, 0)
        what = f"{request.method} {request.path}"[:LONGEST]
        fact = Denied(what=what, why=why[:LONGEST], address=address, times=times + 1)
        cause = Cause(
            actor=f"{actor('gateway')}/nobody",
            source="aps/gateway",
            correlation=str(uuid4()),
            traceparent=current(),
        )
        try:
            await self._book.record(ACCESS, id or NOBODY, fact, cause=cause)
        except (Unavailable, TimeoutError) as away:
            log.warning("a denial could not be recorded", what=what, why=why, problem=str(away))
