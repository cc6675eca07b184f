"""Building views from nothing: the log is sorted into piles by aggregate, which processes fold side by side.

Rules
1. The rows are those that applying event after event gives.
2. All of it is one transaction of the caller's: a load that was cut off leaves nothing.
3. Nothing of the log's length is held in memory: the piles lie on disk, each row is written once, with
   its end known, and the keys and indexes are made when the rows are there.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import asyncpg

from events.envelope import NO_HASH, Unreadable, decode
from events.jetstream.stream_reader import Stored
from events.jetstream.walk import recorded
from events.store import Broken, EventStore, Recorded
from events.unreadable import message_of
from projections import database, journal
from projections.building.folders import Folder, folders
from projections.building.piles import Extents, Piles, messages
from projections.building.sheets import Sheet, sheet_of
from projections.database import Checkpoint
from projections.fold import key_of
from projections.gathering import gather
from projections.step import View

if TYPE_CHECKING:
    from pathlib import Path

    from projections.connection import Connection

READ_AT_ONCE = 2000
SILENCE_SECONDS = 60.0
SHEETS_OF_A_HAND = 2  # one is written while the next is folded
HASH = 64
HASH_KEY = b'"hash":"'


@runtime_checkable
class Paged(Protocol):
    """A log that gives its messages as they are stored: quicker, where others read them."""

    def pages(self, after: int = 0, until: int | None = None) -> AsyncGenerator[list[Stored], None]:
        """Yield the messages with `after < seq <= until`, in order, none left out."""
        ...


async def load(
    store: EventStore,
    connection: Connection,
    views: Sequence[View],
    schema: str,
    until: int,
    *,
    journaled: bool = True,
    folder: Path | None = None,
) -> Checkpoint:
    """Build a schema that does not stand yet, up to `until`, within the caller's transaction.

    Without a journal nothing can go on from there: it is for looking at. Raises `Broken`.
    """
    await database.create(connection, schema, views, journaled=journaled)
    piles = Piles(until, folder)
    try:
        sort = _sort_and_journal if journaled else _sort
        async with AsyncExitStack() as stack:
            # they start while the log is read
            hands = [await stack.enter_async_context(hand) for hand in folders(piles, views)]
            at = await sort(store, connection, schema, piles, until)
            await _fold_all(connection, schema, views, piles, hands)
        if not journaled and await journal.blocking_any(connection, schema):
            at = await _chained(store, until)
    finally:
        piles.close()
    await database.complete(connection, schema, views, at, journaled=journaled)
    return at


async def _sort(
    store: EventStore, _connection: Connection, _schema: str, piles: Piles, until: int
) -> Checkpoint:
    at = Checkpoint()
    async with aclosing(pages_of(store, 0, until)) as pages:
        async for page in pages:
            at = _pile_up(piles, page, at)
    return at


def _pile_up(piles: Piles, page: Sequence[Stored], at: Checkpoint) -> Checkpoint:
    seq, last, chain = at.seq, at.hash, at.chain
    for stored in page:
        seq = stored.seq
        last = hash_in(stored.body)
        chain = journal.chained(chain, last)
        piles.add(stored)
    return Checkpoint(seq, last, chain)


def hash_in(body: bytes) -> str:
    """Return the hash of an envelope, from its end where it stands there as it is written.

    Of a message that is no event it is any text: with such a one the chain is made anew.
    """
    if body[-HASH - 10 : -HASH - 2] == HASH_KEY and body.endswith(b'"}'):
        return body[-HASH - 2 : -2].decode("ascii", "replace")
    try:
        return decode(body).hash
    except Unreadable:
        return NO_HASH


async def _chained(store: EventStore, until: int) -> Checkpoint:
    at = Checkpoint()
    async for event in store.read_all(0, until):
        chain = journal.chained(at.chain, event.envelope.hash)
        at = Checkpoint(event.seq, event.envelope.hash, chain)
    return at


async def pages_of(store: EventStore, after: int, until: int | None) -> AsyncGenerator[list[Stored], None]:
    """Yield a log page by page, unread where it can give them so."""
    if isinstance(store, Paged):
        async with aclosing(store.pages(after, until)) as pages:
            async for page in pages:
                yield page
        return
    async with aclosing(gather(store.read_all(after, until), READ_AT_ONCE, SILENCE_SECONDS)) as batches:
        async for batch in batches:
            yield [_stored(event) for event in batch]


def _stored(event: Recorded) -> Stored:
    return Stored(event.seq, *message_of(event.envelope))


async def _sort_and_journal(
    store: EventStore, connection: Connection, schema: str, piles: Piles, until: int
) -> Checkpoint:
    at = Checkpoint()
    async with aclosing(gather(store.read_all(0, until), READ_AT_ONCE, SILENCE_SECONDS)) as batches:
        async for batch in batches:
            require_contiguous(batch, at.seq)
            lines = journal.lines(batch, at.chain)
            for event, line in zip(batch, lines, strict=True):
                piles.add(Stored(event.seq, *journal.message_of(line)))
            await journal.write(connection, schema, lines)
            if lines:
                at = Checkpoint(lines[-1].seq, lines[-1].hash, lines[-1].chain)
    return at


async def _fold_all(
    connection: Connection, schema: str, views: Sequence[View], piles: Piles, hands: Sequence[Folder]
) -> None:
    waiting = piles.finish()
    writing = asyncio.Lock()

    async def work(folder: Folder, folding: asyncio.Lock) -> None:
        while True:
            async with folding:
                if not waiting:
                    return
                pile = waiting.pop()
                sheet = await folder.fold(pile)
            async with writing:
                await _write(connection, schema, views, piles, pile, sheet)

    try:
        async with asyncio.TaskGroup() as group:
            for hand in hands:
                folding = asyncio.Lock()
                for _ in range(SHEETS_OF_A_HAND):
                    group.create_task(work(hand, folding))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None  # the others were cancelled because of it


async def _write(
    connection: Connection, schema: str, views: Sequence[View], piles: Piles, pile: Extents, sheet: Sheet
) -> None:
    try:
        await _copy(connection, schema, views, sheet)
    except asyncpg.DataError:
        events = sorted(map(recorded, messages(piles.descriptor, pile)), key=key_of)
        aggregates = [list(group) for _, group in groupby(events, key_of)]
        await _write_acceptable(connection, schema, views, aggregates)


async def _write_acceptable(
    connection: Connection, schema: str, views: Sequence[View], aggregates: Sequence[Sequence[Recorded]]
) -> None:
    """Write what the database takes: find the aggregate with an event that it does not by halving."""
    try:
        events = [event for aggregate in aggregates for event in aggregate]
        await _copy(connection, schema, views, sheet_of(events, views, {}))
    except asyncpg.DataError:
        if len(aggregates) > 1:
            middle = len(aggregates) // 2
            await _write_acceptable(connection, schema, views, aggregates[:middle])
            await _write_acceptable(connection, schema, views, aggregates[middle:])
        else:
            await _write_until_refused(connection, schema, views, aggregates[0])


async def _write_until_refused(
    connection: Connection, schema: str, views: Sequence[View], events: Sequence[Recorded]
) -> None:
    for count, event in enumerate(events, start=1):
        attempt = connection.transaction()
        await attempt.start()
        try:
            await _copy(connection, schema, views, sheet_of(events[:count], views, {}))
        except asyncpg.DataError as problem:
            await attempt.rollback()
            await _copy(connection, schema, views, sheet_of(events, views, {event.seq: str(problem)}))
            return
        await attempt.rollback()


async def _copy(connection: Connection, schema: str, views: Sequence[View], sheet: Sheet) -> None:
    async with connection.transaction():
        for view, rows in zip(views, sheet.tables, strict=True):
            if rows:
                await connection.copy_to_table(
                    view.table.name,
                    source=io.BytesIO(rows),
                    schema_name=schema,
                    columns=list(view.table.columns),
                    format="csv",
                    escape="\\",
                    null="null",
                )
        if sheet.poisoned:
            await journal.write_poisoned(connection, schema, sheet.poisoned)


def require_contiguous(events: Sequence[Recorded], after: int) -> None:
    """Raise `Broken` where events that should follow on `after` leave one out."""
    for expected, event in enumerate(events, start=after + 1):
        if event.seq != expected:
            raise Broken(f"event {expected} is missing: the log goes on with {event.seq}")
