"""What is known of aggregates: their events by position, kept in memory within a limit."""

from collections import OrderedDict

from events.store import Position, Recorded

CACHED_EVENTS = 50_000

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
        kept = self.get(key)
        if past[1].version < kept[1].version:
            return
        self._count += len(past[0]) - len(kept[0])
        self._kept[key] = past
        self._kept.move_to_end(key)
        while self._count > self._limit and len(self._kept) > 1:
            self._count -= len(self._kept.popitem(last=False)[1][0])


def up_to(past: Past, seq: int) -> Past:
    """Return the part of `past` that stands at or before `seq`."""
    events = tuple(event for event in past[0] if event.seq <= seq)
    if not events:
        return NOTHING
    last = events[-1]
    return events, Position(last.envelope.sequence, last.seq, last.envelope.hash)
