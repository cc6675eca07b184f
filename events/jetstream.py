"""The log on a JetStream stream.

Rules
1. Every first event of an append to an aggregate carries the sequence it was decided on, as the
   server's concurrency header; later events of the same append follow on directly. That header is the
   way back: one aggregate is read from its head to its first event without scanning the stream.
2. An uncertain append is resolved by reading back and comparing hashes, never by trusting ids.
3. A message whose subject is not its envelope's is no event: the server's rights hold subjects.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg

from events.appending import Prepared, link, not_before, prepare, resolve
from events.committer import Committer, Message, Uncertain
from events.envelope import Cause, Unreadable, decode
from events.store import Batch, Broken, Position, Recorded, Unavailable
from events.stream_reader import EXPECTED, Stored, StreamReader
from events.subjects import DOORBELL, STREAM, aggregate_subjects, subject

PAGE = 1000
CACHED_EVENTS = 50_000
POLL_SECONDS = 1.0  # a lost doorbell costs this much
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

Key = tuple[str, str]
Past = tuple[tuple[Recorded, ...], Position]
NOTHING: Past = ((), Position())


class PastEvents:
    """The events of aggregates by position, the least recently used dropped first."""

    def __init__(self, limit: int = CACHED_EVENTS) -> None:
        """`limit` counts events over all aggregates."""
        self._kept: OrderedDict[Key, Past] = OrderedDict()
        self._limit = limit
        self._count = 0

    def get(self, key: Key) -> Past:
        """Return what is kept of an aggregate."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key, NOTHING)

    def put(self, key: Key, past: Past) -> None:
        """Keep what an aggregate is known to hold, unless more of it is kept already."""
        if past[1].version < self.get(key)[1].version:
            return
        self._count += len(past[0]) - len(self._kept.get(key, NOTHING)[0])
        self._kept[key] = past
        self._kept.move_to_end(key)
        while self._count > self._limit and len(self._kept) > 1:
            self._count -= len(self._kept.popitem(last=False)[1][0])


class JetStreamEventStore:
    """Keeps the log in the stream `APS`; knows no settings, and never closes the connection."""

    def __init__(
        self,
        connection: Client,
        clock: Callable[[], datetime],
        *,
        patience: float = 10.0,
        stream: str = STREAM,
    ) -> None:
        """`patience` bounds in seconds how long one call goes on against an unwilling server."""
        self._connection = connection
        self._clock = clock
        self._patience = patience
        self._reader = StreamReader(connection, stream, patience)
        self._committer = Committer(connection)
        self._past = PastEvents()

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append all batches atomically; see the port."""
        now = self._clock()
        known = [self._past.get((batch.aggregate, batch.id))[0] for batch in batches]
        times = [not_before(batch, past, now) for batch, past in zip(batches, known, strict=True)]
        prepared = prepare(batches, cause, times)
        messages = [message for part in prepared for message in _messages(part)]
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        for pause in _pauses():
            try:
                last = await self._committer.commit(messages)
            except Uncertain as uncertain:
                positions = await self._read_back(prepared)
                if positions is not None:
                    return positions
                if clock() >= deadline or self._connection.is_closed:
                    raise Unavailable(f"the append was not taken: {uncertain}") from uncertain
                await asyncio.sleep(pause)
            else:
                return await self._stored(prepared, last)
        raise AssertionError("pauses never end")

    async def read(self, aggregate: str, id: str) -> Past:
        """Return the events of one aggregate and its position; see the port."""
        key = (aggregate, id)
        known = self._past.get(key)
        for pause in _pauses():
            head = await self._reader.last(aggregate_subjects(aggregate, id))
            if (head.seq if head else 0) >= known[1].stream_seq:
                break
            # a replica that lags behind answered; what was stored is never gone
            await self._wait_for_replica(
                pause, f"{aggregate}/{id} ends before sequence {known[1].stream_seq}"
            )
        if head is None or head.seq == known[1].stream_seq:
            return known
        past = await self._extend(key, known, head)
        self._past.put(key, past)
        return past

    async def position(self, aggregate: str, id: str) -> Position:
        """Return where one aggregate stands; see the port."""
        head = await self._reader.last(aggregate_subjects(aggregate, id))
        if head is None:
            return Position()
        envelope = recorded(head).envelope
        return Position(envelope.sequence, head.seq, envelope.hash)

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield the log in order, a page at a time; see the port."""
        until = await self.head() if until is None else until
        pauses = _pauses()
        while after < until:
            page = await self._reader.page(after, min(PAGE, until - after))
            if not page:
                await self._wait_for_replica(next(pauses), f"the log ends at {after}, before {until}")
                continue
            pauses = _pauses()
            for stored in page:
                if stored.seq != after + 1:
                    raise Broken(f"sequence {after + 1} is missing; the next is {stored.seq}")
                after = stored.seq
                yield recorded(stored)

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
                    await asyncio.wait_for(bell.wait(), POLL_SECONDS)
            raise Unavailable("the connection was closed")
        finally:
            if not self._connection.is_closed:
                await doorbell.unsubscribe()

    async def head(self) -> int:
        """Return the last sequence of the stream."""
        return await self._reader.head()

    async def seq_at(self, time: datetime) -> int:
        """Return the last sequence stored at or before `time`."""
        after = await self._reader.first_since(time)
        return await self.head() if after is None else after.seq - 1

    async def _stored(self, prepared: Sequence[Prepared], last: int) -> tuple[Position, ...]:
        seq = last - sum(len(part.envelopes) for part in prepared)
        positions = []
        for part in prepared:
            key = (part.batch.aggregate, part.batch.id)
            known = self._past.get(key)
            events = tuple(Recorded(seq + n, e) for n, e in enumerate(part.envelopes, start=1))
            seq += len(events)
            positions.append(part.position(seq))
            if known[1] == part.batch.expected:
                self._past.put(key, ((*known[0], *events), positions[-1]))
        await self._committer.ring(DOORBELL)
        return tuple(positions)

    async def _read_back(self, prepared: Sequence[Prepared]) -> tuple[Position, ...] | None:
        found = []
        for part in prepared:
            past = await self.read(part.batch.aggregate, part.batch.id)
            found.append(resolve(part, *past))
        complete = tuple(position for position in found if position is not None)
        return complete if len(complete) == len(found) else None

    async def _extend(self, key: Key, known: Past, head: Stored) -> Past:
        nearby = {head.seq: head}
        if not known[0]:
            nearby |= {s.seq: s for s in await self._reader.lasts(aggregate_subjects(*key))}
        newest_first = [head]
        while (before := _before(newest_first[-1])) > known[1].stream_seq:
            stored = nearby.get(before) or await self._reader.at(before)
            if stored is None:
                raise Broken(f"sequence {before} of {key[0]}/{key[1]} is missing")
            newest_first.append(stored)
        events, position = known
        fresh = [recorded(stored) for stored in reversed(newest_first)]
        for event in fresh:
            if event.envelope.subject != f"{key[0]}/{key[1]}":
                raise Broken(f"sequence {event.seq} is of {event.envelope.subject}, not {key[0]}/{key[1]}")
            position = link(event, position)
        return (*events, *fresh), position

    async def _wait_for_replica(self, pause: float, what: str) -> None:
        if pause == PAUSES[-1]:
            raise Broken(what)
        await asyncio.sleep(pause)


def recorded(stored: Stored) -> Recorded:
    """Return the event in a stored message; raise `Broken` when it holds none, or another subject's."""
    try:
        envelope = decode(stored.body)
    except Unreadable as problem:
        raise Broken(f"sequence {stored.seq}: {problem}") from problem
    if subject(envelope.address) != stored.subject:
        raise Broken(f"sequence {stored.seq}: {stored.subject} holds a {subject(envelope.address)}")
    return Recorded(stored.seq, envelope)


def _before(stored: Stored) -> int:
    return stored.seq - 1 if stored.expected is None else stored.expected


def _messages(part: Prepared) -> list[Message]:
    messages = [
        Message(name, body, {"Nats-Msg-Id": envelope.id})
        for name, body, envelope in zip(part.subjects, part.bodies, part.envelopes, strict=True)
    ]
    batch = part.batch
    messages[0].headers[EXPECTED] = str(batch.expected.stream_seq)
    messages[0].headers[f"{EXPECTED}-Subject"] = aggregate_subjects(batch.aggregate, batch.id)
    return messages


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]
