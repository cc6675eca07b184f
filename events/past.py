"""What is known of aggregates: their events by position, kept in memory within a limit.

What was just appended is kept as the bytes that were sent and read again when somebody asks: most of it
nobody asks for, and thousands of envelopes at rest cost every collection of garbage.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from events.envelope import decode
from events.store import Position, Recorded
from events.trail import longer, trail_after

CACHED_EVENTS = 50_000

Key = tuple[str, str]
Past = tuple[tuple[Recorded, ...], Position]
NOTHING: Past = ((), Position())


@dataclass(slots=True)
class Kept:
    """One aggregate: `events` up to some version, then `fresh` bodies by sequence up to `position`."""

    events: tuple[Recorded, ...]
    position: Position
    at: datetime
    trail: str
    fresh: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many events it holds."""
        return len(self.events) + len(self.fresh)


class PastEvents:
    """The events of aggregates by position, the least recently used dropped first."""

    def __init__(self, limit: int = CACHED_EVENTS) -> None:
        """`limit` counts events over all aggregates."""
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._limit = limit
        self._count = 0

    def get(self, key: Key) -> Past:
        """Return what is kept of an aggregate."""
        kept = self._kept.get(key)
        if kept is None:
            return NOTHING
        self._kept.move_to_end(key)
        if kept.fresh:
            kept.events += tuple(Recorded(seq, decode(body)) for seq, body in kept.fresh)
            kept.fresh.clear()
        return kept.events, kept.position

    def at(self, key: Key, position: Position) -> Kept | None:
        """Return what is kept of an aggregate if that ends at `position`."""
        kept = self._kept.get(key)
        return kept if kept is not None and kept.position == position else None

    def put(self, key: Key, past: Past) -> None:
        """Keep what an aggregate is known to hold, unless more of it is kept already."""
        events, position = past
        kept = self._kept.get(key)
        if not events or (kept is not None and position.version < kept.position.version):
            return
        trail = trail_after([event.seq for event in events])
        self._keep(key, Kept(events, position, events[-1].envelope.at, trail))

    def add(
        self, key: Key, expected: Position, bodies: Sequence[bytes], position: Position, at: datetime
    ) -> None:
        """Keep an append that was stored up to `position`, where all before it is kept or there is none."""
        kept = self.at(key, expected)
        if kept is None:
            if expected.version:
                return
            kept = Kept((), position, at, "")
            self._keep(key, kept)
        first = position.stream_seq - len(bodies) + 1
        for seq, body in enumerate(bodies, start=first):
            kept.fresh.append((seq, body))
            kept.trail = longer(kept.trail, seq)
        kept.position, kept.at = position, at
        self._count += len(bodies)
        self._kept.move_to_end(key)
        self._drop()

    def _keep(self, key: Key, fresh: Kept) -> None:
        before = self._kept.get(key)
        self._count += fresh.count - (before.count if before is not None else 0)
        self._kept[key] = fresh
        self._kept.move_to_end(key)
        self._drop()

    def _drop(self) -> None:
        while self._count > self._limit and len(self._kept) > 1:
            self._count -= self._kept.popitem(last=False)[1].count


def up_to(past: Past, seq: int) -> Past:
    """Return the part of `past` that stands at or before `seq`.

    Where it is not the whole its position is that of its last event: nothing is appended there.
    """
    if seq >= past[1].stream_seq:
        return past
    events = tuple(event for event in past[0] if event.seq <= seq)
    if not events:
        return NOTHING
    last = events[-1]
    return events, Position(last.envelope.sequence, last.seq, last.envelope.hash)
