"""Dead letters of the projector: events that it could not apply, so that they are seen where people look."""

from collections.abc import Sequence

import structlog
from nats.aio.client import Client

from projections.journal import Blocking
from services.runtime.burying import GivenUp, bury

ROLE = "projector"

log = structlog.get_logger(__name__)


class Letters:
    """Drops one letter for an event, however often it is told of it. The connection stays the caller's."""

    def __init__(self, connection: Client) -> None:
        """The connection is the projector's."""
        self._connection = connection
        self._told: set[int] = set()

    async def tell(self, blocking: Sequence[Blocking]) -> None:
        """Drop letters for events that there are none for. Raises `Unavailable`."""
        for event in blocking:
            if event.seq not in self._told:
                await self._drop(event)
                self._told.add(event.seq)

    async def _drop(self, event: Blocking) -> None:
        what = GivenUp(ROLE, event.seq, event.subject, event.reason)
        if await bury(self._connection, what):
            log.error("dead letter", **what.letter)
