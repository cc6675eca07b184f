"""The signed heads in the database, beside the views: no rebuild and no switch takes them away.

Rules
1. They stand in a schema of their own (`<schema>_evidence`): who alters the log alone cannot reach them.
2. A head is signed only where the journal leads from the head before it to the checkpoint: a journal that
   was altered since is refused, not sealed.
3. Any number may sign; one at a time does, and each head names the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.envelope import NO_HASH
from events.evidence.heads import Head, PublicKey, SigningKey, sign, wrong
from events.evidence.verify import chained
from projections import database
from projections.database import SCHEMA, Checkpoint, lock_key
from projections.table import within

if TYPE_CHECKING:
    from projections.connection import Connection, Pool

CREATE = """
create schema if not exists {schema};
create table if not exists {schema}.head (
  seq bigint primary key, previous bigint not null, chain text not null, time text not null,
  key text not null, signature text not null
);
"""
ALL = "select seq, previous, chain, time, key, signature from {schema}.head order by seq"
LAST = "select seq, previous, chain, time, key, signature from {schema}.head order by seq desc limit 1"
ADD = """
insert into {schema}.head (seq, previous, chain, time, key, signature) values ($1, $2, $3, $4, $5, $6)
on conflict (seq) do nothing
"""
HASHES = "select seq, hash from {schema}.journal where seq > $1 and seq <= $2 order by seq"
AT_ONCE = 5000


class NotSigned(Exception):  # noqa: N818 -- what did not happen
    """No head can be signed on what stands there; the message says why and what to do."""


@dataclass(frozen=True)
class Pace:
    """A head is due after so many events, or so many seconds after the last where there is a new event."""

    events: int = 1000
    seconds: float = 60.0

    def is_due(self, last: Head | None, at: Checkpoint, now: datetime) -> bool:
        """Whether the checkpoint is to be signed."""
        if at.seq <= (last.seq if last else 0):
            return False
        if last is None or at.seq - last.seq >= self.events:
            return True
        return now - datetime.fromisoformat(last.time) >= timedelta(seconds=self.seconds)


AT_ONCE_PACE = Pace(events=1)


def evidence(schema: str) -> str:
    """Return the schema of the heads of views in `schema`."""
    return f"{schema}_evidence"


async def heads(connection: Connection, schema: str = SCHEMA) -> list[Head]:
    """Return all heads by sequence; none where none was ever signed."""
    if not await _is_there(connection, schema):
        return []
    return [Head(*found) for found in await connection.fetch(within(evidence(schema), ALL))]


async def newest(connection: Connection, schema: str = SCHEMA) -> Head | None:
    """Return the head of the highest sequence; None where none was ever signed."""
    if not await _is_there(connection, schema):
        return None
    found = await connection.fetchrow(within(evidence(schema), LAST))
    return Head(*found) if found else None


async def keep(connection: Connection, found: Iterable[Head], schema: str = SCHEMA) -> None:
    """Keep heads that were signed before, as a restored log brings them."""
    async with connection.transaction():
        await _open(connection, schema)
        await connection.executemany(within(evidence(schema), ADD), [_row(head) for head in found])


async def is_due(pool: Pool, now: datetime, pace: Pace = AT_ONCE_PACE, schema: str = SCHEMA) -> bool:
    """Whether the checkpoint is to be signed; False where no views stand."""
    async with pool.acquire() as connection:
        if not await database.exists(connection, schema):
            return False
        last, (at, _) = await newest(connection, schema), await database.checkpoint(connection, schema)
        return pace.is_due(last, at, now)


async def sign_head(
    pool: Pool,
    key: SigningKey,
    now: datetime,
    pace: Pace = AT_ONCE_PACE,
    trusted: Sequence[PublicKey] = (),
    schema: str = SCHEMA,
) -> Head | None:
    """Sign the checkpoint where that is due. `trusted` are earlier keys. Raises `NotSigned`."""
    async with pool.acquire() as connection, connection.transaction():
        if not await database.exists(connection, schema):
            return None
        await _open(connection, schema)
        found = await connection.fetchrow(within(evidence(schema), LAST))
        last = Head(*found) if found else None
        at, _ = await database.checkpoint(connection, schema)
        if not pace.is_due(last, at, now):
            return None
        _require_trust(last, (key.public, *trusted))
        await _require_way(connection, schema, last, at)
        head = sign(at.seq, last.seq if last else 0, at.chain, now, key)
        await connection.execute(within(evidence(schema), ADD), *_row(head))
        return head


async def _open(connection: Connection, schema: str) -> None:
    """Hold the heads to the end of the transaction, made where they are missing."""
    await connection.execute("select pg_advisory_xact_lock($1)", lock_key(schema, "heads"))
    if not await _is_there(connection, schema):
        await connection.execute(within(evidence(schema), CREATE))


async def _is_there(connection: Connection, schema: str) -> bool:
    return await connection.fetchval("select to_regclass($1)", f"{evidence(schema)}.head") is not None


def _require_trust(last: Head | None, trusted: Sequence[PublicKey]) -> None:
    problem = wrong(last, trusted) if last else None
    if last and problem:
        raise NotSigned(
            f"at sequence {last.seq}, {problem}. Give the SECRET_KEY_BASE it was signed with, or let that"
            " key's public part count: aps events key --trust PUB, or APS_TRUSTED_KEYS. See: aps doctor"
        )


async def _require_way(connection: Connection, schema: str, last: Head | None, at: Checkpoint) -> None:
    """Raise `NotSigned` where the journal does not lead from the last head to the checkpoint."""
    seq, chain = (last.seq, last.chain) if last else (0, NO_HASH)
    began = seq
    cursor = connection.cursor(within(schema, HASHES), began, at.seq, prefetch=AT_ONCE)
    async for found in cursor:
        if found["seq"] != seq + 1:
            break
        seq, chain = found["seq"], chained(chain, found["hash"])
    if (seq, chain) != (at.seq, at.chain):
        raise NotSigned(
            f"the journal does not lead from the head signed at {began} to the checkpoint at {at.seq}:"
            " it was altered, or belongs to another log. See: aps events verify"
        )


def _row(head: Head) -> tuple[object, ...]:
    return head.seq, head.previous, head.chain, head.time, head.key, head.signature
