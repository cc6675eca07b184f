"""The port to the log: append with expected positions, read one aggregate, read all.

Rules, for every store (`tests/contract/test_event_store.py` holds them to it):
1. An append names the position it was decided on; if the aggregate moved on, `Conflict` says what was
   expected and what was found, and nothing is stored.
2. `append_many` stores all of its batches or none.
3. An append whose outcome is unknown is resolved by reading back and comparing hashes; repeating an
   append stores nothing twice.
4. Order within an aggregate is the order of its versions, without gaps, chained by hash.

What is checked when it is read: `read` and `as_of` check every event of the aggregate (version, link, hash
over its content); `read_all` and `live` check that no sequence is missing and that no message holds an
envelope of another subject, not its hash. `events.evidence.verify` checks a whole log.

A message that holds no envelope at all comes in `read_all` and `live` as what stands in for it
(`events.unreadable`). It is no version of the aggregate that its subject names: `read`, `as_of` and
`position` pass over it. Only the position's sequence counts it, for the next append has to name it.

What time is: an envelope's `time` is the writer's clock, never before that of the event it follows in its
aggregate as far as the writer knew it. `seq_at` and `as_of` go by the time at which the server stored an
event. Neither orders anything: order is the sequence, whatever the clocks do.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.envelope import NO_HASH, Cause, Envelope
from events.fact import Fact


@dataclass(frozen=True)
class Position:
    """Where an aggregate stands: version and hash of its last event, and the sequence of the last message on
    its subjects, be that the event or none."""

    version: int = 0
    stream_seq: int = 0
    hash: str = NO_HASH


@dataclass(frozen=True)
class Recorded:
    """An event on the log with its place in the stream."""

    seq: int
    envelope: Envelope


@dataclass(frozen=True)
class Batch:
    """Facts to append to one aggregate that was read at `expected`."""

    aggregate: str
    id: str
    expected: Position
    facts: tuple[Fact, ...]


def _where(position: Position) -> str:
    return f"version {position.version} (sequence {position.stream_seq})"


class Conflict(Exception):  # noqa: N818 -- what happened
    """Another writer was faster. Read again and decide again."""

    def __init__(self, aggregate: str, id: str, expected: Position, found: Position | None) -> None:
        """`found` is None where the store could not tell."""
        seen = "an unknown position" if found is None else _where(found)
        super().__init__(f"{aggregate}/{id}: expected {_where(expected)}, found {seen}")
        self.aggregate, self.id, self.expected, self.found = aggregate, id, expected, found


class Denied(Exception):  # noqa: N818 -- what happened
    """The server refused: this user may not record this fact. Repeating it is in vain."""


class Unavailable(Exception):  # noqa: N818 -- what happened
    """The log cannot be reached, or did not answer in time, and the outcome could not be read back."""


class Gone(Unavailable):
    """The server answers, and has no such log: it was never set up, or somebody deleted it."""


class Broken(Exception):  # noqa: N818 -- what was found
    """The log contradicts itself: a hash does not link, or a sequence is missing. Halt and look."""


class Misplaced(Broken):
    """A message of the log holds an event that is of another subject than the one it stands on."""


class Shortened(Broken):
    """The log ends before events that were on it: it lost them, or is another log. It takes nothing more."""


class EventStore(Protocol):
    """Appends facts and reads them back."""

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append all batches atomically; return the new position of each, in order.

        Raises `Conflict`, `Denied` or `Shortened` (nothing stored), `Unavailable`, or ValueError for what can
        never be stored: no fact, one aggregate twice, an event over the size limit, too many events at once.
        """
        ...

    async def read(self, aggregate: str, id: str) -> tuple[tuple[Recorded, ...], Position]:
        """Return all events of one aggregate, oldest first, and its position; empty when there is none."""
        ...

    async def as_of(
        self, aggregate: str, id: str, moment: int | datetime
    ) -> tuple[tuple[Recorded, ...], Position]:
        """Return what `read` would have returned when the stream ended at a sequence, or at a time."""
        ...

    async def position(self, aggregate: str, id: str) -> Position:
        """Return where one aggregate stands; the zero position when there is none."""
        ...

    def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield every event with `after < seq <= until` (default: the head when called), in order.

        Raises `Broken` where a sequence is missing.
        """
        ...

    def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield every event with `seq > after`, in order, for ever: first the stored, then the new.

        Waits out an unreachable server. Close the iterator to end it. Raises `Broken` as `read_all` does.
        """
        ...

    async def ids(self, aggregate: str, fact: str) -> tuple[str, ...]:
        """Return which aggregates of a kind have a fact, without reading the log; for kinds that are few."""
        ...

    async def tally(self, aggregate: str, fact: str) -> Mapping[str, int]:
        """Return by id how often each aggregate of a kind recorded a fact; none that never did."""
        ...

    async def head(self) -> int:
        """Return the last sequence of the stream, 0 when it is empty."""
        ...

    async def seq_at(self, time: datetime) -> int:
        """Return the last sequence stored at or before `time`, 0 when there is none."""
        ...


class Artefacts(Protocol):
    """Keeps bytes by the sha256 of their content, for ever."""

    async def put(self, content: bytes) -> str:
        """Store `content` once and return its sha256."""
        ...

    async def get(self, sha256: str) -> bytes:
        """Return the content; raise KeyError when it is not there, `Broken` when it does not match."""
        ...
