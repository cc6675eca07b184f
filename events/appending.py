"""What an append stores: the chained envelopes of its batches, the same for every store.

Rules
1. An append has at least one fact, names each aggregate once, and fits one atomic batch.
2. An event over `MAX_EVENT_BYTES` is refused by name: large content belongs in an artefact.
3. All events of one append carry one time, and time never runs backwards within an aggregate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.envelope import Cause, Envelope, digest, envelop
from events.store import Batch, Broken, Conflict, Position, Recorded
from events.subjects import Address, subject

MAX_EVENTS = 1000  # the server's limit on one atomic batch
MAX_EVENT_BYTES = 1_000_000  # below the server's max_payload of 1 MiB, headers included


@dataclass(frozen=True)
class Prepared:
    """A batch as it will stand on the log."""

    batch: Batch
    envelopes: tuple[Envelope, ...]
    subjects: tuple[str, ...]
    bodies: tuple[bytes, ...]

    def position(self, last_seq: int) -> Position:
        """Return where the aggregate stands once its last event has `last_seq`."""
        last = self.envelopes[-1]
        return Position(last.sequence, last_seq, last.hash)


def prepare(batches: Sequence[Batch], cause: Cause, times: Sequence[datetime]) -> tuple[Prepared, ...]:
    """Return `batches` as they will stand; `times` holds one time for each. ValueError by rules 1 and 2."""
    if len(batches) > 1 and len({(batch.aggregate, batch.id) for batch in batches}) != len(batches):
        raise ValueError("an append names each aggregate once")
    counts = [len(batch.facts) for batch in batches]
    if not counts or not min(counts):
        raise ValueError("an append without a fact")
    if (count := sum(counts)) > MAX_EVENTS:
        raise ValueError(f"{count} events in one append; {MAX_EVENTS} is the limit of an atomic batch")
    return tuple([_prepare(batch, cause, now) for batch, now in zip(batches, times, strict=True)])


def _prepare(batch: Batch, cause: Cause, now: datetime) -> Prepared:
    envelopes: list[Envelope] = []
    subjects: list[str] = []
    bodies: list[bytes] = []
    prevhash = batch.expected.hash
    for version, fact in enumerate(batch.facts, start=batch.expected.version + 1):
        address = Address(batch.aggregate, batch.id, fact.name)
        name = subject(address)
        try:
            envelope = envelop(fact, address, version, prevhash, cause, now)
        except (TypeError, UnicodeError) as problem:
            raise ValueError(f"{name} cannot be written as JSON: {problem}") from problem
        body = envelope.encode()
        if len(body) > MAX_EVENT_BYTES:
            raise ValueError(f"{name} is {len(body)} bytes; {MAX_EVENT_BYTES} is the limit of an event")
        envelopes.append(envelope)
        subjects.append(name)
        bodies.append(body)
        prevhash = envelope.hash
    return Prepared(batch, tuple(envelopes), tuple(subjects), tuple(bodies))


def not_before(batch: Batch, events: Sequence[Recorded], now: datetime) -> datetime:
    """Return the time to append at: `now`, or that of the event before, where `events` has it."""
    if not 0 < batch.expected.version <= len(events):
        return now
    return max(now, events[batch.expected.version - 1].envelope.at)


def resolve(prepared: Prepared, events: Sequence[Recorded], found: Position) -> Position | None:
    """Tell what became of `prepared` by what its aggregate holds now.

    Returns its position when its very events are there (by hash), None when the aggregate still stands
    where it was expected, and raises `Conflict` otherwise.
    """
    expected = prepared.batch.expected
    if found == expected:
        return None
    last = expected.version + len(prepared.envelopes)
    if last <= len(events) and events[last - 1].envelope.hash == prepared.envelopes[-1].hash:
        return prepared.position(events[last - 1].seq)
    raise Conflict(prepared.batch.aggregate, prepared.batch.id, expected, found)


def link(event: Recorded, before: Position) -> Position:
    """Return the position after `event`; raise `Broken` where it does not follow on `before`."""
    envelope = event.envelope
    if envelope.sequence != before.version + 1:
        raise Broken(
            f"sequence {event.seq}: {envelope.subject} goes from version {before.version} "
            f"to {envelope.sequence}"
        )
    if envelope.prevhash != before.hash:
        raise Broken(f"sequence {event.seq}: {envelope.subject} does not link to the event before it")
    if digest(envelope) != envelope.hash:
        raise Broken(f"sequence {event.seq}: {envelope.subject} was altered: its hash does not fit")
    return Position(envelope.sequence, event.seq, envelope.hash)
