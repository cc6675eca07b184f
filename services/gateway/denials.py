"""Records on the log who was not let in, or was refused something, so that no flood of it can fill the log.

Rules
1. Every denial is a fact on the token it was told with, else on `nobody`.
2. The first of its kind is recorded at once; what follows within seconds is counted, and recorded together.
   A kind is a sender's place, a token, a reason and a route, so that no number is told of something else.
3. Within that time there are only so many kinds. What is beyond them is counted by its token alone.
4. Nothing is lost at an ordinary end: what was counted is recorded then. While the log is away it is kept.
"""

from dataclasses import dataclass
from uuid import uuid4

import structlog
from aiohttp import web

from events.access import ACCESS, NOBODY, Denied
from events.envelope import Cause
from events.store import Unavailable
from services.gateway.counted import SECONDS, Counted
from services.gateway.http.guests import place_of
from services.runtime.ground import actor
from services.runtime.log import Log
from services.runtime.tracing import current

MOST_KINDS = 16
LONGEST = 200
SEVERAL = "several"
BEYOND = "more kinds of denials at once than are told apart"

log = structlog.get_logger()


@dataclass(frozen=True)
class Kind:
    """What is counted together; without a `place`, all that is beyond what is told apart."""

    id: str
    place: str = ""
    route: str = ""
    why: str = ""


class Denials(Counted[Kind, Denied]):
    """Counts for one gateway; `run` is to be run beside it."""

    def __init__(self, book: Log, seconds: float = SECONDS) -> None:
        """Know of none yet."""
        super().__init__(seconds)
        self._book = book

    async def tell(self, request: web.Request, id: str, why: str) -> None:
        """Count the denial of a request, told with the token `id`, empty for none."""
        resource = request.match_info.route.resource
        route = f"{request.method} {resource.canonical if resource else ''}"
        what = f"{request.method} {request.path}"[:LONGEST]
        await self.count(id, route, Denied(what=what, why=why[:LONGEST], address=request.remote or ""))

    async def count(self, id: str, route: str, denied: Denied) -> None:
        """Count a denial; the first of its kind is on the log when this returns, if that can be reached."""
        exact = Kind(id or NOBODY, place_of(denied.address) or "?", route, denied.why)
        kind, fact = self._counted_as(exact, denied)
        self._count(kind, fact)
        await self._record_first(kind)

    def _counted_as(self, exact: Kind, fact: Denied) -> tuple[Kind, Denied]:
        known = self._recent | self._pending.keys()
        if exact in known or len(known) < MOST_KINDS:
            return exact, fact
        kind = Kind(exact.id)
        self._recent.add(kind)  # the number is what matters of these: none is recorded at once
        return kind, Denied(what=SEVERAL, why=BEYOND, address=SEVERAL)

    def _count(self, kind: Kind, fact: Denied) -> None:
        before = self._pending.get(kind)
        self._pending[kind] = _together(kind, before, fact) if before else fact

    async def _record(self, kind: Kind) -> None:
        fact = self._pending.pop(kind)
        cause = Cause(
            actor=f"{actor('gateway')}/nobody",
            source="aps/gateway",
            correlation=str(uuid4()),
            traceparent=current(),
        )
        try:
            await self._book.record(ACCESS, kind.id, fact, cause=cause)
        except (Unavailable, TimeoutError) as away:
            log.warning("a denial could not be recorded yet", what=fact.what, why=fact.why, problem=str(away))
            self._count(kind, fact)


def _together(kind: Kind, one: Denied, other: Denied) -> Denied:
    """Return one fact of two; where they differ, it names what they share."""
    return Denied(
        what=one.what if one.what == other.what else kind.route[:LONGEST],
        why=one.why,
        address=one.address if one.address == other.address else kind.place,
        times=one.times + other.times,
    )
