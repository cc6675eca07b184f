"""The projector: follows the log and keeps every view at one checkpoint, exactly once.

Rules
1. Events are applied in the order of the log, none left out: a missing sequence is `Broken`. One that does
   not link, or stands on another's subject, halts it, with all before it applied.
2. A log shorter than the checkpoint, or another log than the one projected, stops the projector.
3. What is kept in memory is bounded and may be lost at any time: the journal restores it.
4. Views that do not stand yet are loaded; from there on batch after batch is applied.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import asyncpg

from events.evidence.verify import gone
from events.store import Broken, EventStore, Gone, Misplaced, Recorded, Shortened
from projections import database, journal
from projections.building.loading import load, require_contiguous
from projections.database import SCHEMA, Checkpoint, Overtaken
from projections.fold import Folded, Key, Pending, Standing, Unlinked, fold, key_of
from projections.gathering import gather
from projections.halting import CURE, cure_of_log
from projections.journal import Blocking
from projections.step import View
from projections.table import as_json, within
from projections.views.catalogue import VIEWS

if TYPE_CHECKING:
    from projections.connection import Connection, Pool

STANDBY_SECONDS = 0.25
IDLE_SECONDS = 5.0  # after this long without an event, look whether log and lead still stand
SILENT_SECONDS = 20.0  # a leader that gives no sign of life for this long is stuck: another takes over


Tell = Callable[[Sequence[Blocking]], Awaitable[None]]


class LogBehindCheckpoint(Shortened):
    """The log is shorter than what was projected from it: events were lost, or it is another log."""


class Projector:
    """Applies the log to the views of one schema. The caller owns store and pool."""

    def __init__(
        self,
        store: EventStore,
        pool: Pool,
        views: Sequence[View] = VIEWS,
        schema: str = SCHEMA,
        batch: int = 500,
        remembered: int = 4096,
        tell: Tell | None = None,
    ) -> None:
        """`batch` bounds the events of one transaction, `remembered` the states kept in memory.

        `tell` is given all events that block aggregates, at the start and whenever there are more.
        """
        self.views = tuple(views)
        self.schema = schema
        self._store = store
        self._pool = pool
        self._batch = batch
        self._remembered = remembered
        self._tell = tell
        self._standings: OrderedDict[Key, Standing] = OrderedDict()

    async def follow(self) -> None:
        """Take the lead when it is free, then apply events as they come, until cancelled.

        Raises `Broken` or `OtherVersions`, and whatever the log or the database raises when it is away.
        """
        async with self._pool.acquire() as connection:
            await database.keep_alive(connection)
            await database.give_signs(connection, SILENT_SECONDS)
            while not await database.lead(connection, self.schema):  # noqa: ASYNC110 -- a lock tells nobody
                await asyncio.sleep(STANDBY_SECONDS)
            while True:
                at = await self._begin(connection)
                with suppress(Overtaken):  # a switch to rebuilt views moved the checkpoint: go on from there
                    await self._apply_all(connection, at, self._store.live(at.seq))

    async def catch_up(self, until: int | None = None) -> Checkpoint:
        """Apply what is on the log, at most to `until`; return the checkpoint reached."""
        async with self._pool.acquire() as connection:
            at = await self._begin(connection, until)
            until = await self._store.head() if until is None else until
            return await self._apply_all(connection, at, self._store.read_all(at.seq, until))

    async def _begin(self, connection: Connection, until: int | None = None) -> Checkpoint:
        self._standings.clear()
        async with connection.transaction():
            await database.allow_silence(connection)  # a load reads long between two statements
            await database.hold_write_lock(connection, self.schema)
            if await database.exists(connection, self.schema):
                at = await database.require_versions(connection, self.schema, self.views)
            else:
                at = await self._load(connection, await self._store.head() if until is None else until)
        await require_length(self._store, at)
        if at.seq:
            await self._require_same_log(at)
        await self._tell_blocking(connection)
        return at

    async def _load(self, connection: Connection, until: int) -> Checkpoint:
        try:
            async with connection.transaction():
                return await load(self._store, connection, self.views, self.schema, until)
        except Broken:
            # what comes before the break is sound: begin with nothing, apply up to there, and halt
            return await load(self._store, connection, self.views, self.schema, 0)

    async def _require_same_log(self, at: Checkpoint) -> None:
        async for recorded in self._store.read_all(after=at.seq - 1, until=at.seq):
            if recorded.envelope.hash != at.hash:
                cure = cure_of_log(at.seq, await self._store.head())
                raise Broken(
                    f"event {at.seq} of the log is not the one the views were built from"
                    f" (hash {recorded.envelope.hash[:12]}, projected {at.hash[:12]}):"
                    f" this is another log, or an altered one. {cure}"
                )

    async def _apply_all(
        self, connection: Connection, at: Checkpoint, events: AsyncIterator[Recorded]
    ) -> Checkpoint:
        try:
            async with aclosing(gather(events, self._batch, IDLE_SECONDS)) as batches:
                async for batch in batches:
                    if not batch:
                        await require_length(self._store, at)
                        await connection.execute("select 1", timeout=IDLE_SECONDS)
                        continue
                    require_contiguous(batch, at.seq)
                    at = await self._apply(connection, at, batch)
        except Misplaced as problem:
            raise Misplaced(await self._halted(problem, at)) from problem
        return at

    async def _halted(self, problem: Broken, at: Checkpoint) -> str:
        return f"{problem}. Nothing more is projected. {cure_of_log(at.seq, await self._store.head())}"

    async def _apply(self, connection: Connection, at: Checkpoint, events: Sequence[Recorded]) -> Checkpoint:
        """Write events; find the one that does not link, or the database will not take, by halving."""
        try:
            return await self._write(connection, at, events, {})
        except (asyncpg.DataError, Unlinked) as problem:
            if len(events) == 1:
                if isinstance(problem, Unlinked):
                    raise Unlinked(await self._halted(problem, at)) from problem
                return await self._write(connection, at, events, {events[0].seq: str(problem)})
            middle = len(events) // 2
            at = await self._apply(connection, at, events[:middle])
            return await self._apply(connection, at, events[middle:])

    async def _write(
        self, connection: Connection, at: Checkpoint, events: Sequence[Recorded], refused: Mapping[int, str]
    ) -> Checkpoint:
        known = await self._known(connection, events)
        folded = fold(events, known, self.views, refused)
        lines = journal.lines(events, at.chain)
        after = Checkpoint(events[-1].seq, events[-1].envelope.hash, lines[-1].chain)
        async with connection.transaction():
            await database.hold_write_lock(connection, self.schema)
            await database.advance(connection, self.schema, at, after, self.views)
            await journal.write(connection, self.schema, lines)
            if folded.poisoned:
                await journal.write_poisoned(connection, self.schema, folded.poisoned)
            for pending in folded.pending:
                await _flush(connection, self.schema, pending)
        self._remember(folded)
        if folded.poisoned:
            await self._tell_blocking(connection)
        return after

    async def _tell_blocking(self, connection: Connection) -> None:
        if self._tell and (found := await journal.blocking(connection, self.schema)):
            await self._tell(found)

    async def _known(self, connection: Connection, events: Sequence[Recorded]) -> Mapping[Key, Standing]:
        keys = {key_of(recorded) for recorded in events}
        known = {key: self._standings[key] for key in keys if key in self._standings}
        missing = keys - known.keys()
        if missing:
            known |= await journal.standings(connection, self.schema, missing)
        return known

    def _remember(self, folded: Folded) -> None:
        for key, standing in folded.standings.items():
            self._standings[key] = standing
            self._standings.move_to_end(key)
        while len(self._standings) > self._remembered:
            self._standings.popitem(last=False)


async def require_length(store: EventStore, at: Checkpoint) -> None:
    """Raise `LogBehindCheckpoint` when the log ends before the checkpoint, or is not there any more."""
    try:
        head = await store.head()
    except Gone as problem:
        if at.seq:
            raise LogBehindCheckpoint(
                f"the log is gone ({problem}), the views are at {at.seq}. {CURE}"
            ) from problem
        raise
    if head < at.seq:
        raise LogBehindCheckpoint(
            f"the log ends at {head}, the views at {at.seq}: {gone(at.seq - head)} from the log. {CURE}"
        )


async def _flush(connection: Connection, schema: str, pending: Pending) -> None:
    table = pending.view.table
    if pending.rows:
        await connection.execute(within(schema, table.put), as_json(pending.rows.values()))
    alike: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for key, values in pending.amended.items():
        amendment = {**dict(zip(table.key, key, strict=True)), **values}
        alike.setdefault(tuple(sorted(values)), []).append(amendment)
    for names, amendments in alike.items():
        done = await connection.execute(within(schema, table.amend(names)), as_json(amendments))
        if done != f"UPDATE {len(amendments)}":
            raise Broken(
                f"{schema}.{table.name} lost rows: {len(amendments)} to amend, {done}. Rebuild the views"
            )
