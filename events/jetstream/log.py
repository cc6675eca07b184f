"""The log on a JetStream stream.

Rules
1. Every first event of an append to an aggregate carries the sequence it was decided on, as the
   server's concurrency header; later events of the same append follow on directly. That header is the
   way back: one aggregate is read from its head to its first event without scanning the stream.
2. An uncertain append is resolved by reading back and comparing hashes, never by trusting ids.
3. The server's rights hold subjects, not bodies. A message with the envelope of another subject breaks the
   log; one that holds none (`events.unreadable`) is passed over, and counted in the concurrency header.
4. A log that ends before what was on it takes nothing more (`events.jetstream.length`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg

from events.appending import Prepared, not_before, prepare, resolve
from events.depth import DEPTH
from events.envelope import Cause
from events.jetstream.committer import Committer, Uncertain
from events.jetstream.group_commit import GroupCommit
from events.jetstream.length import Length, Require
from events.jetstream.moments import last_until
from events.jetstream.replicas import Lag, pauses
from events.jetstream.stream_reader import EXPECTED, Stored, StreamReader
from events.jetstream.walk import Walk, recorded
from events.jetstream.wire import Message
from events.past import Past, PastEvents, up_to
from events.store import Batch, Broken, Position, Recorded, Unavailable
from events.subjects import DOORBELL, STREAM, aggregate_subjects, facts
from events.trail import PART, TRAIL
from events.unreadable import is_unreadable

POLL_SECONDS = 1.0  # a lost doorbell costs this much


class JetStreamEventStore:
    """Keeps the log in the stream `APS`; knows no settings, and never closes the connection."""

    def __init__(
        self,
        connection: Client,
        clock: Callable[[], datetime],
        *,
        patience: float = 10.0,
        stream: str = STREAM,
        replicated: bool = False,
        require: Require | None = None,
    ) -> None:
        """`patience` bounds in seconds how long one call goes on against an unwilling server.

        `replicated` says that several servers keep the stream: an aggregate is then read as far as their
        leader has it, so that who was told of an event also reads it. `require` asks others how far the log
        reached; see `Length`.
        """
        self._connection = connection
        self._clock = clock
        self._patience = patience
        self._reader = StreamReader(connection, stream, patience, replicated=replicated)
        self._commits = GroupCommit(Committer(connection), DOORBELL)
        self._length = Length(connection, self.head, require)
        self._past = PastEvents()

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append all batches atomically; see the port."""
        if not self._length.is_known:
            await self._length.look()
        before = self._length.reached
        now = self._clock()
        known = [self._past.at((batch.aggregate, batch.id), batch.expected) for batch in batches]
        times = [
            self._not_before(batch, now) if kept is None else max(now, kept.at)
            for batch, kept in zip(batches, known, strict=True)
        ]
        prepared = prepare(batches, cause, times)
        messages = [
            message
            for part, kept in zip(prepared, known, strict=True)
            for message in messages_of(part, kept.trail if kept else "", cause.depth)
        ]
        aggregates = frozenset([part.subjects[0].rpartition(".")[0] for part in prepared])
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        for pause in pauses():
            try:
                last = await self._commits.commit(messages, aggregates)
            except Uncertain as uncertain:
                positions = await self._read_back(prepared)
                if positions is not None:
                    return positions
                if clock() >= deadline or self._connection.is_closed:
                    raise Unavailable(f"the append was not taken: {uncertain}") from uncertain
                await asyncio.sleep(pause)
            else:
                self._length.take(before, last - len(messages) + 1, last)
                return self._stored(prepared, times, last)
        raise AssertionError("pauses never end")

    async def read(self, aggregate: str, id: str) -> Past:
        """Return the events of one aggregate and its position; see the port."""
        key = (aggregate, id)
        known = self._past.get(key)
        lag = Lag(self._patience, self.head)
        while True:
            head = await self._reader.last(aggregate_subjects(aggregate, id))
            if (head.seq if head else 0) >= known[1].stream_seq:
                break
            await lag.wait(f"{aggregate}/{id} ends before sequence {known[1].stream_seq}")
        if head is None or head.seq == known[1].stream_seq:
            return known
        past = await Walk(self._reader, key, known, Lag(self._patience, self.head)).back_from(head)
        self._past.put(key, past)
        return past

    async def as_of(self, aggregate: str, id: str, moment: int | datetime) -> Past:
        """Return one aggregate as it stood at `moment`; see the port."""
        seq = moment if isinstance(moment, int) else await self.seq_at(moment)
        # the server can be asked (`multi_last` with `up_to_seq`), but it scans: the present is read and cut
        known = self._past.get((aggregate, id))
        return up_to(known if seq <= known[1].stream_seq else await self.read(aggregate, id), seq)

    async def position(self, aggregate: str, id: str) -> Position:
        """Return where one aggregate stands; see the port."""
        head = await self._reader.last(aggregate_subjects(aggregate, id))
        if head is None:
            return Position()
        envelope = recorded(head).envelope
        if is_unreadable(envelope):
            return (await self.read(aggregate, id))[1]
        return Position(envelope.sequence, head.seq, envelope.hash)

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield the log in order, a page at a time; see the port."""
        async with aclosing(self.pages(after, until)) as pages:
            async for page in pages:
                for stored in page:
                    yield recorded(stored)

    async def pages(self, after: int = 0, until: int | None = None) -> AsyncGenerator[list[Stored], None]:
        """Yield what `read_all` does as it is stored, unread, for those who have others read it."""
        until = await self.head() if until is None else until
        lag = Lag(self._patience, self.head)
        while after < until:
            async for page in self._reader.pages(after, until, bare=True):
                if page:
                    lag = Lag(self._patience, self.head)
                for n, stored in enumerate(page):
                    if stored.seq != after + 1:
                        yield page[:n]
                        raise Broken(f"sequence {after + 1} is missing; the next is {stored.seq}")
                    after = stored.seq
                yield page
            if after < until:
                await lag.wait(f"the log ends at {after}, before {until}")

    async def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield the log and then what is new; see the port."""
        bell = asyncio.Event()

        async def ring(_: Msg) -> None:
            bell.set()

        doorbell = await self._connection.subscribe(DOORBELL, cb=ring)
        try:
            while not self._connection.is_closed:
                bell.clear()
                # the connection comes back by itself; meanwhile there is nothing to yield
                with suppress(Unavailable):
                    async for event in self.read_all(after):
                        after = event.seq
                        yield event
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):  # wait_for may lose a cancellation
                        await bell.wait()
            raise Unavailable("the connection was closed")
        finally:
            if not self._connection.is_closed:
                await doorbell.unsubscribe()

    async def ids(self, aggregate: str, fact: str) -> tuple[str, ...]:
        """Return which aggregates of a kind have a fact; see the port."""
        return tuple(sorted(await self.tally(aggregate, fact)))

    async def tally(self, aggregate: str, fact: str) -> Mapping[str, int]:
        """Return how often each aggregate recorded a fact; see the port."""
        counts = await self._reader.counts(facts(aggregate, fact))
        return {subject.split(".")[3]: count for subject, count in counts.items()}

    async def head(self) -> int:
        """Return the last sequence of the stream."""
        return await self._reader.head()

    async def seq_at(self, time: datetime) -> int:
        """Return the last sequence stored at or before `time`."""
        return await last_until(self._reader, time)

    def _not_before(self, batch: Batch, now: datetime) -> datetime:
        if not batch.expected.version:
            return now
        return not_before(batch, self._past.get((batch.aggregate, batch.id))[0], now)

    def _stored(
        self, prepared: Sequence[Prepared], times: Sequence[datetime], last: int
    ) -> tuple[Position, ...]:
        seq = last - sum([len(part.bodies) for part in prepared])
        positions = []
        for part, at in zip(prepared, times, strict=True):
            seq += len(part.bodies)
            position = part.position(seq)
            key = (part.batch.aggregate, part.batch.id)
            self._past.add(key, part.batch.expected, part.bodies, position, at)
            positions.append(position)
        return tuple(positions)

    async def _read_back(self, prepared: Sequence[Prepared]) -> tuple[Position, ...] | None:
        found = []
        for part in prepared:
            past = await self.read(part.batch.aggregate, part.batch.id)
            found.append(resolve(part, *past))
        complete = tuple(position for position in found if position is not None)
        return complete if len(complete) == len(found) else None


def messages_of(part: Prepared, trail: str, depth: int = 0) -> list[Message]:
    """Return `part` as messages; `trail` leads to the events before it as far as they are known.

    `depth` is that of the event which it answers, if any.
    """
    shared: dict[str, str] = {}
    if trail:
        shared[TRAIL] = trail
    if depth:
        shared[DEPTH] = str(depth + 1)
    expected = {
        EXPECTED: str(part.batch.expected.stream_seq),
        f"{EXPECTED}-Subject": aggregate_subjects(part.batch.aggregate, part.batch.id),
        **shared,
    }
    messages = [Message(part.subjects[0], part.bodies[0], expected)]
    for number in range(1, len(part.bodies)):
        headers = {PART: str(number), **shared}
        messages.append(Message(part.subjects[number], part.bodies[number], headers))
    return messages
