"""Building the views anew: beside the live ones to switch to, or to look at and to compare; and back again.

Rules
1. A switch never goes backward: the new views are at least where the live ones are, on the same chain.
2. The switch is one transaction; the views before it stay in `<schema>_before`, to return to, until the
   next rebuild.
3. A comparison looks at the live views as of one moment and rebuilds to that checkpoint from the log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import asyncpg

from events.store import Broken, EventStore
from projections import database
from projections.building.loading import load
from projections.comparison import Difference, differences
from projections.database import SCHEMA, Checkpoint
from projections.projector import Projector, require_length
from projections.step import View
from projections.table import Row, Table, within
from projections.views.catalogue import VIEWS

if TYPE_CHECKING:
    from projections.connection import Connection, Pool

RowT = TypeVar("RowT", bound=Row)

DROP = "drop schema if exists {schema} cascade"
RENAME = "alter schema {schema} rename to "
CHAIN_AT = "select chain from {schema}.journal where seq = $1"


class NothingKept(Exception):  # noqa: N818 -- what was found
    """There are no views to return to."""


async def rebuild(
    store: EventStore, pool: Pool, views: Sequence[View] = VIEWS, schema: str = SCHEMA
) -> Checkpoint:
    """Build the views anew from the log while the live ones go on, then switch; return the checkpoint.

    Raises `Broken` when the log no longer is the one the live views were built from.
    """
    beside = f"{schema}_next"
    async with pool.acquire() as connection:
        await _require_lead(connection, schema)
        await connection.execute(within(beside, DROP))
        return await _take_place(store, pool, views, schema, beside, connection)


async def switch_back(
    store: EventStore, pool: Pool, views: Sequence[View] = VIEWS, schema: str = SCHEMA
) -> Checkpoint:
    """Return to the views before the last switch, brought to where the live ones are; those are kept now.

    Raises `NothingKept`, `OtherVersions` when another release made them, and `Broken` as `rebuild` does.
    """
    async with pool.acquire() as connection:
        await _require_lead(connection, schema)
        kept = _kept(schema)
        if not await database.exists(connection, kept):
            raise NothingKept(f"no views are kept in {kept}: there was no switch yet. Build them: rebuild")
        return await _take_place(store, pool, views, schema, kept, connection)


def _kept(schema: str) -> str:
    return f"{schema}_before"


async def _require_lead(connection: Connection, schema: str) -> None:
    await database.keep_alive(connection)
    if not await database.lead(connection, f"{schema}_next"):
        raise database.Overtaken(f"another rebuild of {schema} is under way")


async def _take_place(
    store: EventStore, pool: Pool, views: Sequence[View], schema: str, beside: str, connection: Connection
) -> Checkpoint:
    projector = Projector(store, pool, views, beside)
    while True:
        reached = await projector.catch_up()
        live = await _switched(connection, schema, beside, reached)
        if live is None:
            return reached
        await require_length(store, live)


async def _switched(
    connection: Connection, schema: str, beside: str, reached: Checkpoint
) -> Checkpoint | None:
    """Switch; where the live views are further, do nothing and return their checkpoint."""
    async with connection.transaction():
        await database.hold_write_lock(connection, schema)
        live = await _live(connection, schema)
        if live is not None:
            if live.seq > reached.seq:
                return live
            await _require_same_chain(connection, beside, live)
        await _exchange(connection, schema, beside, stands=live is not None)
        await connection.execute("select pg_notify($1, $2)", database.channel(schema), str(reached.seq))
    return None


async def _exchange(connection: Connection, schema: str, beside: str, *, stands: bool) -> None:
    leaving, kept = f"{schema}_leaving", _kept(schema)
    if beside != kept:
        await connection.execute(within(kept, DROP))
    if stands:
        await connection.execute(within(schema, RENAME) + leaving)
    await connection.execute(within(beside, RENAME) + schema)
    if stands:
        await connection.execute(within(leaving, RENAME) + kept)


async def _live(connection: Connection, schema: str) -> Checkpoint | None:
    if not await database.exists(connection, schema):
        return None
    return (await database.checkpoint(connection, schema))[0]


async def _require_same_chain(connection: Connection, beside: str, live: Checkpoint) -> None:
    chain = await connection.fetchval(within(beside, CHAIN_AT), live.seq)
    if live.seq and chain != live.chain:
        raise Broken(
            f"up to event {live.seq} the log is not the one the live views were built from:"
            " they are kept as they are. Check the log against the journal"
        )


async def rebuild_and_compare(
    store: EventStore,
    pool: Pool,
    views: Sequence[View] = VIEWS,
    schema: str = SCHEMA,
    limit: int = 20,
) -> list[Difference]:
    """Build the views anew in a scratch schema and compare every row; return the first `limit` differences.

    The pool needs two connections. Nothing of the live views is changed or held up.
    """
    async with pool.acquire() as live, live.transaction(isolation="repeatable_read", readonly=True):
        at = await _live(live, schema)
        if at is None:
            raise asyncpg.UndefinedTableError(f"no views were ever built in {schema}")
        async with replayed(store, pool, views, at.seq, journaled=True) as there:
            return await differences((live, schema), (there.connection, there.schema), views, limit)


@dataclass(frozen=True)
class Replayed:
    """Views as they were at a checkpoint, seen by this connection alone."""

    connection: Connection
    schema: str
    at: Checkpoint

    async def rows(self, table: Table[RowT]) -> tuple[RowT, ...]:
        """Return the rows that held then, by key."""
        return tuple(map(table.read, await self.connection.fetch(within(self.schema, table.standing))))


@asynccontextmanager
async def replayed(
    store: EventStore, pool: Pool, views: Sequence[View], until: int, *, journaled: bool = False
) -> AsyncIterator[Replayed]:
    """Build some views from nothing up to `until`, beside all others; nothing of them is left.

    Views built alone are blocked only by events that they themselves cannot take. Raises `Broken`.
    """
    scratch = f"aps_replay_{uuid4().hex[:12]}"
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            at = await load(store, connection, views, scratch, until, journaled=journaled)
            yield Replayed(connection, scratch, at)
        finally:
            await transaction.rollback()
