"""Signs the log's head while views are built: after so many events or seconds, and at the end.

Rules
1. A key that is not there is made with the first head of a log. Where heads are there that it should have
   signed, nobody here makes another: it would sign nothing, and hide that one is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import nats.errors
import structlog

from events.evidence.head_proof import by_others
from events.evidence.heads import Head, PublicKey, SigningKey, wrong
from events.jetstream import head_stream
from events.store import Denied, Unavailable
from projections import heads
from projections.database import SCHEMA
from projections.heads import AT_ONCE_PACE, NotSigned, Pace
from services.runtime.ending import end
from services.runtime.ground import now
from services.runtime.head_keys import earlier_keys, lost, own_key, signing_key

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


@dataclass(frozen=True)
class Absent:
    """The place of a key that is not there: looked at again, for a person may put it back."""

    settings: Settings

    def found(self) -> SigningKey | None:
        """Return the key where it is there by now. Raises `UnusableKey`."""
        return own_key(self.settings)

    def made(self) -> SigningKey:
        """Return the key, made now."""
        key = signing_key(self.settings)
        log.info("a key was made that signs heads", key=key.public.id)
        return key


class Signer:
    """Signs heads into the database and copies them to the stream `HEADS`. Connections stay the caller's."""

    def __init__(
        self,
        pool: Pool,
        connection: Client,
        key: SigningKey | Absent,
        trusted: Sequence[PublicKey] = (),
        pace: Pace = AT_ONCE_PACE,
        schema: str = SCHEMA,
    ) -> None:
        """`trusted` are earlier keys."""
        self._pool = pool
        self._connection = connection
        self._key = key
        self._trusted = tuple(trusted)
        self._pace = pace
        self._schema = schema
        self._level = False
        self._strange: frozenset[Head] = frozenset()

    async def sign(self, pace: Pace = AT_ONCE_PACE) -> Head | None:
        """Sign the head where it is due. Raises `NotSigned` and what is raised when servers are away."""
        if not self._level:
            await self._level_copies()
        key = await self._present(self._key, pace) if isinstance(self._key, Absent) else self._key
        if key is None:
            return None
        self._key = key
        head = await heads.sign_head(self._pool, key, now(), pace, self._trusted, self._schema)
        if head is not None:
            self._level = False
            await head_stream.publish(self._connection, [head])
            self._level = True
            log.info("signed", seq=head.seq, chain=head.chain, key=head.key)
        return head

    async def _present(self, absent: Absent, pace: Pace) -> SigningKey | None:
        """Return the key where it came back, or is to be made; None where nothing is due."""
        if key := absent.found():
            return key
        if self._strange:
            raise NotSigned(lost(absent.settings, self._strange))
        return absent.made() if await heads.is_due(self._pool, now(), pace, self._schema) else None

    def _trusts(self) -> tuple[PublicKey, ...]:
        return self._trusted if isinstance(self._key, Absent) else (self._key.public, *self._trusted)

    async def _level_copies(self) -> None:
        """Give the stream the heads that only the database has, and a new database those of the stream."""
        on_stream, _ = await head_stream.published(self._connection)
        async with self._pool.acquire() as connection:
            there = await heads.heads(connection, self._schema)
            self._strange = by_others([*there, *on_stream], self._trusts())
            if not there and on_stream:
                there = [head for head in on_stream if wrong(head, self._trusts()) is None]
                await heads.keep(connection, there, self._schema)
        copied = {head.seq for head in on_stream}
        await head_stream.publish(self._connection, [head for head in there if head.seq not in copied])
        self._level = True

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
    """Return who signs by the settings. Raises `UnusableKey`."""
    pace = Pace(settings.head_events, settings.head_seconds)
    key = own_key(settings) or Absent(settings)
    return Signer(pool, connection, key, earlier_keys(settings), pace)


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
