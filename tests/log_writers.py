"""Writers that append through the services' own store while servers fail, and what must hold afterwards."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from nats.aio.client import Client

from events.appending import Prepared
from events.envelope import Cause
from events.evidence.verify import verify
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.store import Batch, Broken, Conflict, Position, Recorded, Unavailable

OWN = 3  # aggregates that one writer alone writes, each by a task of its own
SHARED = ("shared-a", "shared-b")
STORED_AT_ONCE = 3
ACTOR = "writer@"


class CountingStore(JetStreamEventStore):
    """The store, counting the appends whose outcome it had to read back though nobody else writes there."""

    read_back = 0

    async def _read_back(self, prepared: Sequence[Prepared]) -> tuple[Position, ...] | None:
        self.read_back += all(part.batch.id not in SHARED for part in prepared)
        return await super()._read_back(prepared)


@dataclass
class Tally:
    """What one writer was told about its appends; a mark is a rank nobody else writes."""

    acknowledged: dict[int, tuple[str, int]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    conflicts: int = 0
    longest: float = 0.0
    issued: int = 0


class Writer:
    """Appends to aggregates of its own and to shared ones until told to stop."""

    def __init__(self, number: int, connection: Client, rest: float = 0.0) -> None:
        """The connection stays the caller's; each task rests for so many seconds after an append."""
        self.store = CountingStore(connection, lambda: datetime.now(UTC))
        self.tally = Tally()
        self.begun = asyncio.Event()
        self._number = number
        self._rest = rest
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Write until `stop`; what the log cannot take now is tried again, never given up."""
        names = [f"own-{self._number}-{n}" for n in range(OWN)]
        async with asyncio.TaskGroup() as group:
            for name in (*names, *SHARED):
                group.create_task(self._write(name))

    def stop(self) -> None:
        """Let `run` end after the appends that are under way."""
        self._stop.set()

    async def _write(self, name: str) -> None:
        while not self._stop.is_set():
            try:
                _, position = await self.store.read("improvement", name)
                await self._append(name, position)
                await asyncio.sleep(self._rest)
            except Unavailable:
                continue
            except Broken as broken:
                self.tally.broken.append(f"{time.strftime('%X')} {broken}")

    async def _append(self, name: str, position: Position) -> None:
        count = 1 + self.tally.issued % STORED_AT_ONCE
        marks = [self._number * 1_000_000 + self.tally.issued + n for n in range(count)]
        self.tally.issued += count
        facts = tuple(Reprioritised(rank=mark, reason=f"writer {self._number}") for mark in marks)
        cause = Cause(actor=f"{ACTOR}{self._number}", source="/writers", correlation=str(uuid4()))
        began = asyncio.get_running_loop().time()
        if name not in SHARED:
            self.begun.set()
        try:
            (end,) = await self.store.append_many([Batch("improvement", name, position, facts)], cause)
        except Conflict:
            self.tally.conflicts += 1
        except Unavailable:
            self.tally.unknown.update(marks)
            raise
        else:
            for back, mark in enumerate(reversed(marks)):
                self.tally.acknowledged[mark] = (name, end.stream_seq - back)
        self.tally.longest = max(self.tally.longest, asyncio.get_running_loop().time() - began)


class Writers:
    """Several writers at work, to be waited for and questioned together."""

    def __init__(self, connections: Sequence[Client], rest: float = 0.0) -> None:
        """One writer for each connection, in less of a hurry with some seconds of `rest`."""
        self.all = [Writer(number, each, rest) for number, each in enumerate(connections, start=1)]
        self._work: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to write."""
        self._work = [asyncio.create_task(writer.run()) for writer in self.all]

    async def stop(self) -> None:
        """End what is under way; raises what ended a writer before its time."""
        for writer in self.all:
            writer.stop()
        await asyncio.gather(*self._work)

    async def each_goes_on(self, appends: int = 5, seconds: float = 60.0) -> None:
        """Wait until every writer had some more events acknowledged."""
        before = [len(writer.tally.acknowledged) for writer in self.all]
        async with asyncio.timeout(seconds):
            while any(
                len(writer.tally.acknowledged) < count + appends
                for writer, count in zip(self.all, before, strict=True)
            ):
                for work in self._work:
                    if work.done():
                        await work  # nothing but a failure ends one
                await asyncio.sleep(0.1)

    async def next_append(self) -> None:
        """Wait until a writer has just begun to append to what is its own."""
        for writer in self.all:
            writer.begun.clear()
        begun = [asyncio.create_task(writer.begun.wait()) for writer in self.all]
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        for waiting in begun:
            waiting.cancel()

    @property
    def read_back(self) -> int:
        """How many appends had an outcome that had to be read back."""
        return sum(writer.store.read_back for writer in self.all)

    def figures(self) -> dict[str, int | float]:
        """Return what happened, in numbers."""
        tallies = [writer.tally for writer in self.all]
        return {
            "acknowledged": sum(len(tally.acknowledged) for tally in tallies),
            "conflicts": sum(tally.conflicts for tally in tallies),
            "unknown": sum(len(tally.unknown) for tally in tallies),
            "read back": self.read_back,
            "longest append (s)": round(max(tally.longest for tally in tallies), 1),
        }

    def broken(self) -> list[str]:
        """Return what the store took for a broken log."""
        return [what for writer in self.all for what in writer.tally.broken]

    def assert_kept(self, log: Sequence[Recorded]) -> None:
        """Each acknowledged event once and where it was said to be, nothing twice, in order, all linked.

        Others may have written besides, on other aggregates.
        """
        assert [event.seq for event in log] == list(range(1, len(log) + 1))
        assert list(verify(log)) == []
        own = [event for event in log if event.envelope.actor.startswith(ACTOR)]
        found = {event.envelope.data["rank"]: event for event in own}
        assert len(found) == len(own), "a mark stands twice"
        for writer in self.all:
            for mark, (name, seq) in writer.tally.acknowledged.items():
                assert mark in found, f"{mark} of {name} was acknowledged at {seq} and is lost"
                assert (found[mark].envelope.address.id, found[mark].seq) == (name, seq)
        told = {mark for w in self.all for mark in (*w.tally.acknowledged, *w.tally.unknown)}
        assert found.keys() <= told, "an append that was refused is stored"
        order: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for event in own:
            order[event.envelope.subject, event.envelope.actor].append(event.envelope.data["rank"])
        assert [key for key, marks in order.items() if marks != sorted(marks)] == []
