"""Tells a log that was lost, or lost its end, by what outlives it: signed heads and the journal."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import asyncpg
import structlog
from nats.aio.client import Client

from events.evidence.heads import PublicKey, decode_head, wrong
from events.evidence.verify import gone
from events.jetstream.stream_reader import StreamReader
from events.store import Gone
from events.subjects import HEAD_STREAM, STREAM, head_subject
from projections import database
from projections.database import SCHEMA
from projections.halting import CURE
from projections.heads import newest
from projections.projector import LogBehindCheckpoint

if TYPE_CHECKING:
    from projections.connection import Connection

log = structlog.get_logger()

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
LOOKS = (0.1, 0.4, 1.5, 3.0)  # seconds between looks at a log that seems to have lost something
CURE_WITHOUT_JOURNAL = (
    "The journal does not have what is gone: put back a backup into a data folder of its own (aps restore"
    " FILE), or begin anew (aps reset)"
)
ON_PURPOSE = "Where somebody cut it there on purpose, start this program again"


@dataclass(frozen=True)
class Known:
    """How far the log once reached: the views, the newest signed head, and the program that asks."""

    views: int = 0
    signed: int = 0
    own: int = 0

    @property
    def reached(self) -> int:
        """The last sequence that anybody knows of."""
        return max(self.views, self.signed, self.own)

    def require(self, head: int, found: str) -> None:
        """Raise `LogBehindCheckpoint` where the log, which `found` describes, ends before that."""
        if head >= self.reached:
            return
        by = f"the views are at {self.views}, heads are signed up to {self.signed}"
        if self.own > max(self.views, self.signed):
            by += f", this program appended {self.own}"
        raise LogBehindCheckpoint(
            f"the log {found}, {by}: {gone(self.reached - head)} from the log. {self._cure(head)}"
        )

    def _cure(self, head: int) -> str:
        if self.views == self.reached:
            return CURE
        if head >= max(self.views, self.signed):
            return f"{CURE_WITHOUT_JOURNAL}. {ON_PURPOSE}"
        return CURE if self.views > head else CURE_WITHOUT_JOURNAL


@dataclass(frozen=True)
class Witnesses:
    """Who knows how far a log reached: the stream of heads, and PostgreSQL.

    The connection stays the caller's; what `open_database` gives is closed here. `trusted` are the keys whose
    heads count.
    """

    connection: Client
    open_database: Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]
    trusted: Callable[[], Sequence[PublicKey]]

    async def require_log(self) -> None:
        """Raise `LogBehindCheckpoint` where the log is gone or empty, and was longer once.

        PostgreSQL is asked only where there is no event. Raises what `open_database` raises.
        """
        await self._require_still(self._require_any)

    async def require_length(self, own: int = 0) -> bool:
        """Raise `LogBehindCheckpoint` where the log ends before what is known, to this program up to `own`.

        Return whether all were asked: a log that has events is not refused because PostgreSQL is away. Raises
        what `open_database` raises where it has none.
        """
        return await self._require_still(lambda: self._require_all(own))

    async def _require_still(self, require: Callable[[], Awaitable[bool]]) -> bool:
        """Refuse only what stays so: a server that just started may have more in a moment.

        So has a log that grew, and the views with it, while its witnesses were asked.
        """
        for pause in LOOKS:
            try:
                return await require()
            except LogBehindCheckpoint as problem:
                log.warning("the log seems to end too early; looking again", problem=str(problem))
                await asyncio.sleep(pause)
        return await require()

    async def _require_any(self) -> bool:
        head, found = await self._end()
        return bool(head) or await self._require(head, found, 0)

    async def _require_all(self, own: int) -> bool:
        return await self._require(*await self._end(), own)

    async def _end(self) -> tuple[int, str]:
        try:
            head = await StreamReader(self.connection, STREAM).head()
        except Gone as problem:
            return 0, f"is gone ({problem})"
        return head, f"ends at {head}" if head else "is empty"

    async def _require(self, head: int, found: str, own: int) -> bool:
        on_stream = await self._signed()
        try:
            at, kept = await self._journaled()
        except AWAY as problem:
            Known(0, on_stream, own).require(head, found)
            if not head:
                raise
            log.warning("PostgreSQL was not asked whether the log is whole", problem=str(problem))
            return False
        Known(at, max(on_stream, kept), own).require(head, found)
        return True

    async def _signed(self) -> int:
        """Return the sequence of the newest head on the stream, where it is one that counts."""
        reader = StreamReader(self.connection, HEAD_STREAM)
        try:
            last = await reader.last(head_subject("*")) if await reader.head() else None
        except Gone:  # as before the first start; the database may know more
            return 0
        try:
            head = decode_head(last.body) if last else None
        except ValueError:  # `aps events verify` tells
            return 0
        return head.seq if head and not wrong(head, self.trusted()) else 0

    async def _journaled(self) -> tuple[int, int]:
        single = await self.open_database()
        opened = cast("Connection", single)  # the proxy of a pool has the same methods
        try:
            head = await newest(opened)
            signed = head.seq if head else 0
            if not await database.exists(opened, SCHEMA):
                return 0, signed
            return (await database.checkpoint(opened, SCHEMA))[0].seq, signed
        finally:
            await single.close()
