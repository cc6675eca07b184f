"""Signs the log's head while views are built: after so many events or seconds, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import nats.errors
import structlog

from events import head_stream
from events.heads import Head, PublicKey, SigningKey
from events.store import Denied, Unavailable
from projections import heads
from projections.database import SCHEMA
from projections.heads import AT_ONCE_PACE, NotSigned, Pace
from services.runtime.ending import end
from services.runtime.ground import now
from services.runtime.head_keys import earlier_keys, signing_key

if TYPE_CHECKING:
    from nats.aio.client import Client

    from projections.database import Pool
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
class Signer:
    """Signs heads into the database and copies them to the stream `HEADS`. Connections stay the caller's."""

    pool: Pool
    connection: Client
    key: SigningKey
    trusted: tuple[PublicKey, ...] = ()
    pace: Pace = AT_ONCE_PACE
    schema: str = SCHEMA

    async def sign(self, pace: Pace) -> Head | None:
        """Sign the head where it is due. Raises `NotSigned` and what is raised when servers are away."""
        head = await heads.sign_head(self.pool, self.key, now(), pace, self.trusted, self.schema)
        if head is not None:
            await head_stream.publish(self.connection, [head])
            log.info("signed", seq=head.seq, chain=head.chain, key=head.key)
        return head

    async def copy(self) -> None:
        """Put those heads on the stream that are in the database alone."""
        async with self.pool.acquire() as connection:
            found = await heads.heads(connection, self.schema)
        if found:
            await head_stream.publish_missing(self.connection, found)

    async def run(self) -> None:
        """Sign whenever it is due, until cancelled; what hinders it is told once."""
        told, copied = "", False
        while True:
            try:
                if not copied:
                    await self.copy()
                    copied = True
                await self.sign(self.pace)
                told = ""
            except (NotSigned, *AWAY) as problem:
                copied = False
                if told != str(problem):
                    told = str(problem)
                    log.warning("the head was not signed", problem=told or repr(problem))
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> None:
        """Sign what is unsigned yet, as far as that can be done quickly."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self.sign(AT_ONCE_PACE)
        except (NotSigned, *AWAY) as problem:
            log.warning("the last head was not signed", problem=str(problem) or repr(problem))


def signer(settings: Settings, pool: Pool, connection: Client) -> Signer:
    """Return who signs by the settings. Raises `UnusableKey`."""
    pace = Pace(settings.head_events, settings.head_seconds)
    return Signer(pool, connection, signing_key(settings), earlier_keys(settings), pace)


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
