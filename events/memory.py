"""The log and the artefacts in memory, for tests and look-only runs: the same contract, no server."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from events.appending import Prepared, not_before, prepare, resolve
from events.envelope import Cause
from events.past import NOTHING, Past, up_to
from events.store import Batch, Position, Recorded
from events.unreadable import address_of, stand_in


class InMemoryEventStore:
    """Keeps the log in a list. One event loop only."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """`clock` gives the time of events and of their storing."""
        self._clock = clock
        self._log: list[Recorded] = []
        self._stored_at: list[datetime] = []
        self._aggregates: dict[tuple[str, str], Past] = {}
        self._grown = asyncio.Condition()

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append all batches atomically; see the port."""
        now = self._clock()
        prepared = prepare(
            batches, cause, [not_before(batch, self._past(batch)[0], now) for batch in batches]
        )
        found = [resolve(part, *self._past(part.batch)) for part in prepared]
        complete = tuple(position for position in found if position is not None)
        if len(complete) == len(found):
            return complete
        positions = tuple(self._store(part, now) for part in prepared)
        async with self._grown:
            self._grown.notify_all()
        return positions

    async def publish_no_event(self, subject: str, body: bytes) -> None:
        """Store bytes that are no envelope, as whoever may publish on a subject of the log can."""
        seq, at = len(self._log) + 1, address_of(subject)
        self._log.append(Recorded(seq, stand_in(seq, subject, body)))
        self._stored_at.append(self._clock())
        events, position = self._aggregates.get((at.aggregate, at.id), NOTHING)
        self._aggregates[at.aggregate, at.id] = events, replace(position, stream_seq=seq)
        async with self._grown:
            self._grown.notify_all()

    async def read(self, aggregate: str, id: str) -> Past:
        """Return the events of one aggregate and its position; see the port."""
        return self._aggregates.get((aggregate, id), NOTHING)

    async def as_of(self, aggregate: str, id: str, moment: int | datetime) -> Past:
        """Return one aggregate as it stood at `moment`; see the port."""
        seq = moment if isinstance(moment, int) else await self.seq_at(moment)
        return up_to(await self.read(aggregate, id), seq)

    async def position(self, aggregate: str, id: str) -> Position:
        """Return where one aggregate stands; see the port."""
        return (await self.read(aggregate, id))[1]

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield the log in order; see the port."""
        for event in self._log[after : len(self._log) if until is None else until]:
            yield event

    async def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield the log and then what is new; see the port."""
        while True:
            async with self._grown:
                while len(self._log) <= after:
                    await self._grown.wait()
            for event in self._log[after:]:
                after = event.seq
                yield event

    async def ids(self, aggregate: str, fact: str) -> tuple[str, ...]:
        """Return which aggregates of a kind have a fact; see the port."""
        addresses = [event.envelope.address for event in self._log]
        return tuple(sorted({one.id for one in addresses if (one.aggregate, one.fact) == (aggregate, fact)}))

    async def tally(self, aggregate: str, fact: str) -> Mapping[str, int]:
        """Return how often each aggregate recorded a fact; see the port."""
        addresses = [event.envelope.address for event in self._log]
        return Counter(one.id for one in addresses if (one.aggregate, one.fact) == (aggregate, fact))

    async def head(self) -> int:
        """Return the last sequence."""
        return len(self._log)

    async def seq_at(self, time: datetime) -> int:
        """Return the last sequence stored at or before `time`."""
        return sum(stored_at <= time for stored_at in self._stored_at)

    def _past(self, batch: Batch) -> Past:
        return self._aggregates.get((batch.aggregate, batch.id), NOTHING)

    def _store(self, part: Prepared, now: datetime) -> Position:
        start = len(self._log) + 1
        fresh = tuple(Recorded(seq, envelope) for seq, envelope in enumerate(part.envelopes, start))
        self._log.extend(fresh)
        self._stored_at.extend(now for _ in fresh)
        position = part.position(fresh[-1].seq)
        events, _ = self._past(part.batch)
        self._aggregates[part.batch.aggregate, part.batch.id] = ((*events, *fresh), position)
        return position


class InMemoryArtefacts:
    """Keeps artefacts in a dict."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        """Store `content` once and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._kept[sha256] = bytes(content)
        return sha256

    async def get(self, sha256: str) -> bytes:
        """Return the content; KeyError when it is not there."""
        return self._kept[sha256]
