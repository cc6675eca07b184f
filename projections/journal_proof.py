"""Holds the journal against the log: every column of every line, and its own chain.

Rules
1. A line that is missing, altered or added shows at its sequence; so does an event that the log lost.
2. After a fault the chain goes on from what the journal says and from what it should say: one altered
   link is told once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from events.envelope import NO_HASH, Unreadable
from events.evidence.heads import Head
from events.evidence.verify import Fault, Item, LogProof, chained, item
from events.jetstream.restoring import Kept
from events.store import Recorded
from projections import journal
from projections.database import SCHEMA, exists
from projections.journal import COLUMNS, JournalRow, message_of
from projections.table import within

if TYPE_CHECKING:
    from projections.connection import Connection

JOURNAL = "journal"
AT_ONCE = 1000
MOST = 2**62
ROWS = """
select seq, aggregate, id, version, type, hash, chain, envelope from {schema}.journal
where seq > $1 and seq <= $2 order by seq
"""
END = "select seq, chain from {schema}.checkpoint"
STRAYS = "select seq from {schema}.journal where seq < 1 or seq > $1 order by seq"


@dataclass(frozen=True)
class TableJournal:
    """The journal of a schema, as one transaction of the connection sees it; empty before views stood."""

    connection: Connection
    schema: str = SCHEMA

    async def end(self) -> int:
        """Return the sequence that it should go up to."""
        if not await exists(self.connection, self.schema):
            return 0
        found = await self.connection.fetchrow(within(self.schema, END))
        return int(found["seq"]) if found else 0

    async def rows(self, after: int, until: int) -> dict[int, JournalRow]:
        """Return the lines of `after < seq <= until`."""
        found = await self.connection.fetch(within(self.schema, ROWS), after, until)
        return {line["seq"]: JournalRow(*line) for line in found}

    async def strays(self, end: int) -> list[int]:
        """Return the sequences of lines outside of the log."""
        if not await exists(self.connection, self.schema):
            return []
        return [line["seq"] for line in await self.connection.fetch(within(self.schema, STRAYS), end)]


async def journaled(connection: Connection, schema: str = SCHEMA) -> AsyncIterator[Kept]:
    """Yield the journal's events, to be put back; within a transaction of the caller's."""
    async for line in connection.cursor(within(schema, ROWS), 0, MOST, prefetch=AT_ONCE):
        row = JournalRow(*line)
        yield Kept(row.seq, *message_of(row))


async def prove_journal(journal: TableJournal, heads: Iterable[Head]) -> list[Fault]:
    """Return what is wrong with the journal by itself and by the signed heads."""
    end = await journal.end()
    beside, log = JournalProof(end), LogProof(heads)
    faults = [Fault(seq, JOURNAL, "the line was added") for seq in await journal.strays(end)]
    for after in range(0, end, AT_ONCE):
        rows = await journal.rows(after, min(after + AT_ONCE, end))
        items = {seq: _item(row) for seq, row in rows.items()}
        faults += beside.see(items, rows, after + AT_ONCE)
        for one in items.values():
            faults += log.see(one)
    return [*faults, *log.end()]


def _item(row: JournalRow) -> Item:
    try:
        return item(row.seq, *message_of(row))
    except Unreadable as problem:
        return Fault(row.seq, JOURNAL, f"the line holds no event: {problem}")


class JournalProof:
    """Looks at the journal beside the log, from its beginning to `end`."""

    def __init__(self, end: int) -> None:
        """`end` is how far the journal should go."""
        self._end = end
        self._last = 0
        self._chains = {NO_HASH}

    def see(self, items: Mapping[int, Item], rows: Mapping[int, JournalRow], until: int) -> Iterator[Fault]:
        """Yield what is wrong up to `until`."""
        for seq in range(self._last + 1, min(until, self._end) + 1):
            yield from self._line(seq, items.get(seq), rows.get(seq))
        self._last = max(self._last, min(until, self._end))

    def _line(self, seq: int, one: Item | None, row: JournalRow | None) -> Iterator[Fault]:
        if row is None:
            of = f" of {one.envelope.subject}" if isinstance(one, Recorded) else ""
            yield Fault(seq, JOURNAL, f"the line{of} is missing")
            if isinstance(one, Recorded):
                self._chains = {chained(chain, one.envelope.hash) for chain in self._chains}
            return
        wrong = list(_columns(one, row)) if one is not None else []
        if one is None:
            what = f"is gone from the log; the journal has it ({row.aggregate}/{row.id}, {row.type})"
            yield Fault(seq, JOURNAL, what)
        following = {chained(chain, row.hash) for chain in self._chains}
        if row.chain not in following:
            wrong.append("chain")
        if wrong:
            where = f"{row.aggregate}/{row.id}"
            yield Fault(seq, JOURNAL, f"the line ({where}) is not what the log says: {', '.join(wrong)}")
        self._chains = {row.chain, *(() if row.chain in following else following)}


def _columns(one: Item, row: JournalRow) -> Iterator[str]:
    """Yield the columns that are not what the event makes them."""
    if isinstance(one, Fault):
        return
    (expected,) = journal.lines([one], NO_HASH)
    for column in COLUMNS:
        if column != "chain" and getattr(row, column) != getattr(expected, column):
            yield column
