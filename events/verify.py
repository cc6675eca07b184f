"""Proof that a log was not altered: every hash, every link, every version, every sequence.

Rules
1. An event's hash covers its content and the event before it in its aggregate: an altered event shows
   at its place, a removed or exchanged one where the next does not link.
2. Events of different aggregates have no link to each other. An exported log therefore carries with each
   event the chain over the whole log before it: `chain` = sha256(chain before + hash), from 64 zeros.
3. After a fault the check goes on from what it found, so that one fault is reported once.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from events.envelope import NO_HASH, Envelope, Unreadable, decode, digest
from events.store import Position, Recorded

LOG = "log"


@dataclass(frozen=True)
class Fault:
    """What is wrong and where: the sequence it shows at, the aggregate (or `log`), and in words."""

    seq: int
    where: str
    what: str


def verify(events: Iterable[Recorded], after: int = 0) -> Iterator[Fault]:
    """Yield every fault of `events`, which follow sequence `after`.

    With `after` the links of each aggregate's first event cannot be seen and are not checked.
    """
    heads: dict[str, Position] = {}
    previous = after
    for event in events:
        envelope = event.envelope
        if event.seq != previous + 1:
            yield Fault(event.seq, LOG, f"follows sequence {previous}; {previous + 1} was expected")
        before = heads.get(envelope.subject, None if after else Position())
        for what in _faults(envelope, before):
            yield Fault(event.seq, envelope.subject, what)
        previous = event.seq
        heads[envelope.subject] = Position(envelope.sequence, event.seq, envelope.hash)


def _faults(envelope: Envelope, before: Position | None) -> Iterator[str]:
    if digest(envelope) != envelope.hash:
        yield "was altered: its hash does not fit its content"
    if before is None:
        return
    if envelope.sequence != before.version + 1:
        yield f"version {envelope.sequence} follows version {before.version}"
    elif envelope.prevhash != before.hash:
        yield f"version {envelope.sequence} does not link to the event before it"


def extend(chain: str, event: Recorded) -> str:
    """Return the chain over the whole log after `event`."""
    return hashlib.sha256((chain + event.envelope.hash).encode()).hexdigest()


def exported(events: Iterable[Recorded], chain: str = NO_HASH) -> Iterator[bytes]:
    """Yield one line of JSON for each event: `seq`, `chain` and `event`."""
    for event in events:
        chain = extend(chain, event)
        head = orjson.dumps({"seq": event.seq, "chain": chain})
        yield head[:-1] + b',"event":' + event.envelope.encode() + b"}"


def imported(line: bytes) -> tuple[Recorded, str]:
    """Read a line of an exported log: the event and the chain after it. Raises `Unreadable`."""
    try:
        fields = orjson.loads(line)
        event = Recorded(int(fields["seq"]), decode(orjson.dumps(fields["event"])))
        return event, str(fields["chain"])
    except Unreadable:
        raise
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as problem:
        raise Unreadable(f"no line of an exported log: {problem}") from problem


def verify_export(lines: Iterable[bytes]) -> Iterator[Fault]:
    """Yield every fault of an exported log; an unreadable line counts as the event missing there."""
    faults: list[Fault] = []
    for fault in verify(_sound(lines, faults)):
        yield from faults
        faults.clear()
        yield fault
    yield from faults


def _sound(lines: Iterable[bytes], faults: list[Fault]) -> Iterator[Recorded]:
    chain = NO_HASH
    for number, line in enumerate(lines, start=1):
        try:
            event, claimed = imported(line)
        except Unreadable as problem:
            faults.append(Fault(0, f"line {number}", str(problem)))
            continue
        if extend(chain, event) != claimed:
            faults.append(Fault(event.seq, LOG, "the chain over the whole log does not fit here"))
        chain = claimed
        yield event
