"""Proves the log on the server against itself, the journal and the signed heads.

Rules
1. Every fault is told with its place; a fault never ends the reading.
2. The journal is held against the log line by line: one rewritten whole, with hashes that fit, is still
   another than the one the views were built from.
3. The heads are read from both their copies; those of a key that is not trusted count for nothing.
4. Nothing is made or changed: a key that is gone is told, and no other is made in its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from events.evidence.head_proof import HeadProof, by_others, prove_heads
from events.evidence.heads import Head, PublicKey
from events.evidence.verify import LOG, Fault, LogProof, WayProof, gone, item, respelt
from events.jetstream.head_stream import published
from events.jetstream.stream_reader import Stored, StreamReader
from events.subjects import STREAM
from projections.heads import heads as signed_heads
from projections.journal import JournalRow
from projections.journal_proof import JOURNAL, JournalProof, TableJournal
from services.cli.desk import at_log, open_pool
from services.cli.history.telling import Proof, in_order, tell
from services.cli.history.watched import Advance, progress
from services.runtime.head_keys import lost, own_key, trusted_keys
from services.runtime.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

    from projections.connection import Pool

HEADS = "signed heads"
PAGE = 1000

T = TypeVar("T")
Absence = Callable[[Collection[Head]], str]


class Journal(Protocol):
    """The journal, as it stood at one moment."""

    async def end(self) -> int:
        """Return how far it should go."""
        ...

    async def rows(self, after: int, until: int) -> Mapping[int, JournalRow]:
        """Return the lines of `after < seq <= until`."""
        ...

    async def strays(self, end: int) -> Sequence[int]:
        """Return the sequences of lines outside of the log."""
        ...


class Pages(Protocol):
    """A stream by pages; see `StreamReader`."""

    async def head(self) -> int:
        """Return the last sequence."""
        ...

    async def page(self, after: int, limit: int) -> list[Stored]:
        """Return messages after a sequence, in order."""
        ...


async def prove_log(settings: Settings, keys: Sequence[PublicKey], *, as_json: bool) -> None:
    """Prove the log on the server; ends the command with 1 when something is wrong.

    Where `keys` are named, no other counts: whoever holds the data folder could put a key of his own there.
    """
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        absent = None if keys or own_key(settings) else partial(lost, settings)
        proof = await prove_standing(desk.connection, pool, tuple(keys) or trusted_keys(settings), absent)
    tell("", proof, as_json=as_json)


async def prove_standing(
    connection: Client, pool: Pool, trusted: Sequence[PublicKey], absent: Absence | None = None
) -> Proof:
    """Look at the log, the journal and the heads as they stand now.

    `absent` says it of this system's own key where that is not there.
    """
    async with (
        pool.acquire() as database,
        database.transaction(isolation="repeatable_read", readonly=True),
    ):
        # A head is in the database before it is on the stream, an event on the log before it is in the
        # journal. Read in this order, what is added meanwhile is never missed where it should be.
        on_stream, strange = await published(connection)
        in_database = await signed_heads(database)
        heads = prove_heads(in_database, on_stream, trusted)
        reader = StreamReader(connection, STREAM)
        with progress("proving the log", await reader.head()) as advance:
            proof = await prove(reader, TableJournal(database), heads, advance)
    unproven = unchecked(by_others([*in_database, *on_stream], trusted), absent)
    key = trusted[0].id if trusted else ""
    return replace(proof, faults=in_order([*unproven, *proof.faults, *strange]), key=key)


def unchecked(heads: Collection[Head], absent: Absence | None) -> Iterator[Fault]:
    """Yield that heads which nobody's key proves cannot be checked, where this system's own is `absent`."""
    if heads and absent:
        what = f"they cannot be checked: {absent(heads)}"
        yield Fault(0, HEADS, f"{what}. A public key that was kept proves them too: --key. No key was made")


async def prove(reader: Pages, journal: Journal, heads: HeadProof, advance: Advance) -> Proof:
    """Look at every message of the stream, every line of the journal and every head."""
    journal_end = await journal.end()
    head = await reader.head()
    faults = [*heads.faults, *await _beyond(journal, head, journal_end)]
    log = LogProof(heads.sound)
    loop, stopped = asyncio.get_running_loop(), threading.Event()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def looked_at() -> Iterator[Fault]:
        after, beside, ways = 0, JournalProof(journal_end), WayProof()
        while after < head and not stopped.is_set():
            page = wait(reader.page(after, min(PAGE, head - after)))
            until = page[-1].seq if page else head
            items = {stored.seq: item(stored.seq, stored.subject, stored.body) for stored in page}
            rows = wait(_rows(journal, after, until, journal_end))
            yield from beside.see(items, rows, until)
            for stored in page:
                yield from log.see(items[stored.seq])
                yield from respelt(items[stored.seq], stored.body)
                yield from ways.see(items[stored.seq], stored.subject, stored.expected)
            if not page:
                yield Fault(head, LOG, f"nothing follows sequence {after}, {after + 1} was expected")
            after = until
            advance(after)
        yield from log.end()

    try:
        # In a thread: hashing a long log must not hold up the connection that brings it.
        faults += await asyncio.to_thread(lambda: list(looked_at()))
    finally:
        stopped.set()
    return Proof(head, in_order(faults), log.signed, unreadable=tuple(log.unreadable))


async def _rows(journal: Journal, after: int, until: int, end: int) -> Mapping[int, JournalRow]:
    return await journal.rows(after, min(until, end)) if after < end else {}


async def _beyond(journal: Journal, head: int, end: int) -> Iterable[Fault]:
    """Return what the journal has outside of the log and of its own checkpoint."""
    faults = [Fault(seq, JOURNAL, "the line was added") for seq in await journal.strays(end)]
    if end > head:
        what = f"the log ends at {head}, the journal at {end}: {gone(end - head)}"
        faults.append(Fault(head, LOG, what))
    return faults
