"""Signs the log's head while views are built: after so many events or seconds, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import nats.errors
import structlog

from events.evidence.heads import Head, PublicKey, SigningKey, wrong
from events.jetstream import head_stream
from events.store import Denied, Unavailable
from projections import heads
from projections.database import SCHEMA
from projections.heads import AT_ONCE_PACE, NotSigned, Pace
from services.runtime.ending import end
from services.runtime.ground import now
from services.runtime.head_keys import earlier_keys, own_key, signing_key

if TYPE_CHECKING:
    from nats.aio.client import Client

    from projections.connection import Pool
    from services.runtime.settings import Settings

LOOK_SECONDS = 1.0
LAST_SECONDS = 5.0
AWAY = (
    Unavailable,
    Denied,
    OSError,
    TimeoutError,
    nats.errors.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

log = structlog.get_logger(__name__)


class Signer:
    """Signs heads into the database and copies them to the stream `HEADS`. Connections stay the caller's."""

    def __init__(
        self,
        pool: Pool,
        connection: Client,
        key: SigningKey,
        trusted: Sequence[PublicKey] = (),
        pace: Pace = AT_ONCE_PACE,
        schema: str = SCHEMA,
        *,
        fresh: bool = False,
    ) -> None:
        """`trusted` are earlier keys; a `fresh` key was made a moment ago."""
        self._pool = pool
        self._connection = connection
        self._key = key
        self._trusted = tuple(trusted)
        self._pace = pace
        self._schema = schema
        self._level = False
        self._fresh = fresh

    async def sign(self, pace: Pace = AT_ONCE_PACE) -> Head | None:
        """Sign the head where it is due. Raises `NotSigned` and what is raised when servers are away."""
        if not self._level:
            await self._level_copies()
        head = await heads.sign_head(self._pool, self._key, now(), pace, self._trusted, self._schema)
        if head is not None:
            self._level = False
            await head_stream.publish(self._connection, [head])
            self._level = True
            log.info("signed", seq=head.seq, chain=head.chain, key=head.key)
        return head

    async def _level_copies(self) -> None:
        """Give the stream the heads that only the database has, and a new database those of the stream."""
        on_stream, _ = await head_stream.published(self._connection)
        async with self._pool.acquire() as connection:
            there = await heads.heads(connection, self._schema)
            if not there and on_stream:
                ours = (self._key.public, *self._trusted)
                there = [head for head in on_stream if wrong(head, ours) is None]
                await heads.keep(connection, there, self._schema)
        self._tell_fresh([*there, *on_stream])
        copied = {head.seq for head in on_stream}
        await head_stream.publish(self._connection, [head for head in there if head.seq not in copied])
        self._level = True

    def _tell_fresh(self, earlier: Sequence[Head]) -> None:
        """Tell once that the key was made, and of the heads that were signed with one that is gone."""
        if not self._fresh:
            return
        self._fresh = False
        lost = [head for head in earlier if wrong(head, (self._key.public, *self._trusted))]
        if lost:
            log.warning(
                "the key of the signed heads was not there: a new one was made",
                key=self._key.public.id,
                lost_keys=sorted({head.key for head in lost}),
                unchecked_up_to=max(head.seq for head in lost),
                problem="heads signed before cannot be checked against it: put the former key back from a"
                " backup of the data folder",
            )
        else:
            log.info("a key was made that signs heads", key=self._key.public.id)

    async def run(self) -> None:
        """Sign whenever it is due, until cancelled; what hinders it is told once."""
        told = ""
        while True:
            try:
                await self.sign(self._pace)
                told = ""
            except (NotSigned, *AWAY) as problem:
                if told != repr(problem):
                    told = repr(problem)
                    log.warning("the head was not signed", problem=str(problem) or told)
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> None:
        """Sign what is unsigned yet, as far as that can be done quickly."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self.sign()
        except (NotSigned, *AWAY) as problem:
            log.warning("the last head was not signed", problem=str(problem) or repr(problem))


def signer(settings: Settings, pool: Pool, connection: Client) -> Signer:
    """Return who signs by the settings, with a key that is made where there is none. Raises `UnusableKey`."""
    pace = Pace(settings.head_events, settings.head_seconds)
    fresh = own_key(settings) is None
    return Signer(pool, connection, signing_key(settings), earlier_keys(settings), pace, fresh=fresh)


@asynccontextmanager
async def signing(settings: Settings, pool: Pool, connection: Client) -> AsyncIterator[Signer]:
    """Sign heads for the time of the block, and once more at its end."""
    who = signer(settings, pool, connection)
    running = asyncio.create_task(who.run())
    try:
        yield who
    finally:
        await end(running)
        await who.finish()
