"""Tells a log that was lost from one that never began, by what outlives it: signed heads and the journal."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import asyncpg
from nats.aio.client import Client

from events.jetstream.head_stream import published
from events.jetstream.stream_reader import StreamReader
from events.store import Gone
from events.subjects import HEAD_STREAM, STREAM
from projections import database
from projections.database import SCHEMA
from projections.halting import CURE
from projections.heads import heads
from projections.projector import LogBehindCheckpoint

if TYPE_CHECKING:
    from projections.connection import Connection


async def require_log(
    connection: Client, open_database: "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]"
) -> None:
    """Raise `LogBehindCheckpoint` where the log is gone or empty, and was longer once.

    PostgreSQL is asked only where there is no event. Raises what `open_database` raises.
    """
    try:
        found = "is empty"
        if await StreamReader(connection, STREAM).head():
            return
    except Gone as problem:
        found = f"is gone ({problem})"
    signed = await _signed(connection)
    at, kept = await _journaled(open_database)
    if reached := max(signed, at, kept):
        raise LogBehindCheckpoint(
            f"the log {found}, the views are at {at}, heads are signed up to {max(signed, kept)}:"
            f" {reached} events are gone from the log. {CURE}"
        )


async def _signed(connection: Client) -> int:
    try:
        if not await StreamReader(connection, HEAD_STREAM).head():
            return 0
    except Gone:  # as before the first start; the database may know more
        return 0
    on_stream, _ = await published(connection)
    return max((head.seq for head in on_stream), default=0)


async def _journaled(
    open_database: "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]",
) -> tuple[int, int]:
    single = await open_database()
    opened = cast("Connection", single)  # the proxy of a pool has the same methods
    try:
        signed = max((head.seq for head in await heads(opened)), default=0)
        if not await database.exists(opened, SCHEMA):
            return 0, signed
        return (await database.checkpoint(opened, SCHEMA))[0].seq, signed
    finally:
        await single.close()
