"""Dead letters of the projector: events that it could not apply, so that they are seen where people look."""

from collections.abc import Sequence

import nats.errors
import orjson
import structlog
from nats.aio.client import Client

from events.jetstream.stream_reader import StreamReader
from events.store import Unavailable
from events.subjects import DEAD_LETTER_STREAM, dead_letter
from projections.journal import Blocking

ROLE = "projector"

log = structlog.get_logger(__name__)


class Letters:
    """Drops one letter for an event, however often it is told of it. The connection stays the caller's."""

    def __init__(self, connection: Client) -> None:
        """The connection is the projector's."""
        self._connection = connection
        self._reader = StreamReader(connection, DEAD_LETTER_STREAM)
        self._told: set[int] = set()

    async def tell(self, blocking: Sequence[Blocking]) -> None:
        """Drop letters for events that there are none for. Raises `Unavailable`."""
        for event in blocking:
            if event.seq not in self._told:
                await self._drop(event)
                self._told.add(event.seq)

    async def _drop(self, event: Blocking) -> None:
        where = dead_letter(ROLE, event.seq)
        if await self._reader.last(where) is not None:
            return
        letter = {"role": ROLE, "seq": event.seq, "subject": event.subject, "reason": event.reason}
        try:
            await self._connection.jetstream().publish(
                where, orjson.dumps(letter), headers={"Nats-Msg-Id": f"{ROLE}-{event.seq}"}
            )
        except (nats.errors.Error, TimeoutError) as problem:
            raise Unavailable(f"the dead letter of event {event.seq} was not taken: {problem}") from problem
        log.error("dead letter", **letter)
