"""Proves the log: the one on the server, or an exported one.

Rules
1. Every fault is told with its place; a fault never ends the reading.
2. The log on the server is held against the journal besides: one rewritten whole, with hashes that fit,
   is still another than the one the views were built from.
3. Each line of an export says how far the whole export goes: lines cut off at its end are missed.
"""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import asyncpg
import orjson

from events.store import Broken, Recorded
from events.stream_reader import Stored, StreamReader
from events.subjects import STREAM
from events.verify import LOG, Fault, verify, verify_export
from events.walk import recorded
from projections.database import SCHEMA
from projections.table import within
from services.cli.desk import at_log, open_pool
from services.cli.history.watched import Advance, progress
from services.cli.session import Exit, Stop, print_json
from services.cycle.text import plain_text
from services.runtime.settings import Settings

PAGE = 1000
STDIO = "-"
JOURNAL = "select seq, hash from {schema}.journal where seq > $1 and seq <= $2"
JOURNAL_END = "select coalesce(max(seq), 0) from {schema}.journal"

T = TypeVar("T")


@dataclass(frozen=True)
class Proof:
    """How many events were looked at, and what is wrong."""

    events: int
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


class Journal(Protocol):
    """The hashes of the events that the views were built from."""

    async def end(self) -> int:
        """Return its last sequence."""
        ...

    async def hashes(self, after: int, until: int) -> dict[int, str]:
        """Return the hashes of `after < seq <= until`."""
        ...


class Pages(Protocol):
    """A stream by pages; see `StreamReader`."""

    async def head(self) -> int:
        """Return the last sequence."""
        ...

    async def page(self, after: int, limit: int) -> list[Stored]:
        """Return messages after a sequence, in order."""
        ...


@dataclass(frozen=True)
class TableJournal:
    """The journal as the projector keeps it; empty before a projector ever ran."""

    pool: "asyncpg.Pool[asyncpg.Record]"

    async def end(self) -> int:
        """Return its last sequence."""
        if await self.pool.fetchval("select to_regclass($1)", f"{SCHEMA}.journal") is None:
            return 0
        return int(await self.pool.fetchval(within(SCHEMA, JOURNAL_END)))

    async def hashes(self, after: int, until: int) -> dict[int, str]:
        """Return hashes by sequence."""
        found = await self.pool.fetch(within(SCHEMA, JOURNAL), after, until)
        return {line["seq"]: line["hash"] for line in found}


async def prove_log(settings: Settings, *, as_json: bool) -> None:
    """Prove the log on the server; ends the command with 1 when something is wrong."""
    async with at_log(settings) as desk, open_pool(desk.ground) as pool:
        reader = StreamReader(desk.connection, STREAM)
        with progress("proving the log", await reader.head()) as advance:
            proof = await prove(reader, TableJournal(pool), advance)
    _tell("", proof, as_json=as_json)


async def prove(reader: Pages, journal: Journal, advance: Advance) -> Proof:
    """Look at every message of the stream and at the journal."""
    head, journal_end = await reader.head(), await journal.end()
    faults: list[Fault] = []
    if journal_end > head:
        what = f"the log ends at {head}, the journal at {journal_end}: {journal_end - head} events are gone"
        faults.append(Fault(head, LOG, what))
    loop, stopped = asyncio.get_running_loop(), threading.Event()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def looked_at() -> Iterator[Recorded]:
        after = 0
        while after < head and not stopped.is_set():
            page = wait(reader.page(after, min(PAGE, head - after)))
            if not page:
                faults.append(Fault(head, LOG, f"nothing follows sequence {after}, {after + 1} was expected"))
                return
            last = page[-1].seq
            kept = wait(journal.hashes(after, min(last, journal_end))) if after < journal_end else {}
            yield from _sound(page, kept, faults)
            after = last
            advance(after)

    try:
        # In a thread: hashing a long log must not hold up the connection that brings it.
        linked = await asyncio.to_thread(lambda: list(verify(looked_at())))
    finally:
        stopped.set()
    return Proof(head, _in_order([*faults, *linked]))


def _sound(page: Iterable[Stored], kept: dict[int, str], faults: list[Fault]) -> Iterator[Recorded]:
    """Yield the events of a page; note what is none, and what the journal has otherwise."""
    for stored in page:
        try:
            event = recorded(stored)
        except Broken as broken:
            faults.append(Fault(stored.seq, LOG, str(broken)))
            continue
        hash = event.envelope.hash
        if kept.get(event.seq, hash) != hash:
            what = f"is not the event the journal has: hash {hash[:12]}, there {kept[event.seq][:12]}"
            faults.append(Fault(event.seq, event.envelope.subject, what))
        yield event


def prove_file(file: str, *, as_json: bool) -> None:
    """Prove an exported log; ends the command with 1 when something is wrong, 3 when it is not there."""
    if file == STDIO:
        proof = prove_lines(sys.stdin.buffer)
    else:
        with (
            _opened(Path(file)) as lines,
            progress("proving the export", Path(file).stat().st_size) as advance,
        ):
            proof = prove_lines(_read(lines, advance))
    _tell(file, proof, as_json=as_json)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise Stop(Exit.NOT_FOUND, f"there is no file {path}") from None
    except OSError as problem:
        raise Stop(Exit.USAGE, f"{path} cannot be read: {problem.strerror}") from problem


def _read(lines: BinaryIO, advance: Advance) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        yield line
        if number % PAGE == 0:
            advance(lines.tell())


def prove_lines(lines: Iterable[bytes]) -> Proof:
    """Prove the lines of an exported log."""
    extent = Extent()
    faults = [*verify_export(extent.passing(lines)), *extent.faults()]
    return Proof(extent.lines, _in_order(faults))


@dataclass
class Extent:
    """How far an export goes, and how far its lines say it goes."""

    lines: int = 0
    last: int = 0
    claims: Counter[int | None] = field(default_factory=Counter)
    first: dict[int | None, int] = field(default_factory=dict)

    def passing(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines and keep what they say."""
        for self.lines, line in enumerate(lines, start=1):
            self._note(line)
            yield line

    def _note(self, line: bytes) -> None:
        try:
            said = orjson.loads(line)
            seq, until = int(said["seq"]), said.get("until")
        except (KeyError, TypeError, ValueError):
            return  # told by the proof of the line itself
        claim = until if type(until) is int else None
        self.last = max(self.last, seq)
        self.claims[claim] += 1
        self.first.setdefault(claim, seq)

    def faults(self) -> Iterator[Fault]:
        """Yield what does not fit; a line that says otherwise than most is wrong itself."""
        if not self.claims:
            yield Fault(0, LOG, "no line of an exported log is here")
            return
        until = self.claims.most_common(1)[0][0]
        for claim in self.claims:
            if claim != until:
                yield Fault(
                    self.first[claim], LOG, f"says the export goes to {claim}, other lines to {until}"
                )
        if until is not None and self.last != until:
            yield Fault(self.last, LOG, f"the export ends here; it was written up to sequence {until}")


def _in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.seq))


def _tell(file: str, proof: Proof, *, as_json: bool) -> None:
    if as_json:
        place = {"file": file} if file else {}
        print_json({**place, "events": proof.events, "sound": proof.sound, "faults": proof.faults})
    else:
        for fault in proof.faults:
            print(told(fault))
    if not proof.sound:
        count = "1 fault" if len(proof.faults) == 1 else f"{len(proof.faults)} faults"
        raise Stop(Exit.FAILED, f"{count} in {proof.events} events")
    if not as_json:
        print(f"{proof.events} events: every hash, link, version and sequence holds")


def told(fault: Fault) -> str:
    """Return a fault as one line a person reads."""
    what = plain_text(fault.what)
    if not fault.seq:
        return f"{fault.where}: {what}"
    where = f" ({plain_text(fault.where)})" if fault.where != LOG else ""
    return f"sequence {fault.seq}{where}: {what}"
