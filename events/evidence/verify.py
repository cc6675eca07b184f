"""Proof that a log was not altered: every hash, link, version, sequence, and every signed head.

Rules
1. An event's hash covers its content and the event before it in its aggregate: an altered event shows
   at its place, a removed or exchanged one where the next does not link.
2. Events of different aggregates have no link to each other. Signed heads hold the chain over the whole
   log: `chain` = sha256(chain before + hash), from 64 zeros. What was rewritten with hashes that fit shows
   at the next head.
3. After a fault the check goes on from what it found, so that one fault is reported once.
4. A message that is no event is no fault: it counts in the chain as it stands, and is noted.
5. A hash is of what the bytes say, so they must say it as it was written: a field that stands there twice
   could be read otherwise by another program.
6. Where a stored event says which sequence it follows on, its aggregate is read that way: it must lead to the
   message before it in the aggregate. One that says nothing is found by its subject, which is no fault.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from events.envelope import NO_HASH, Envelope, Unreadable, decode, digest
from events.evidence.heads import Head
from events.store import Position, Recorded
from events.subjects import place
from events.unreadable import complaint, is_unreadable, message_of, stand_in

LOG = "log"


@dataclass(frozen=True)
class Fault:
    """What is wrong and where: the sequence it shows at, the aggregate (or `log`), and in words."""

    seq: int
    where: str
    what: str


@dataclass(frozen=True)
class Notice:
    """What is no fault and must be told: a message that is no event, its sequence and subject, and why."""

    seq: int
    where: str
    what: str


Item = Recorded | Fault  # a fault stands in the place of an event that cannot be read


def chained(chain: str, hash: str) -> str:
    """Return the chain over the whole log after an event with `hash`."""
    return hashlib.sha256((chain + hash).encode()).hexdigest()


def gone(events: int) -> str:
    """Say how many events are no longer there."""
    return "1 event is gone" if events == 1 else f"{events} events are gone"


def item(seq: int, subject: str, body: bytes) -> Item:
    """Return the event that a message of the log holds, what stands in for none, or what is wrong with it."""
    try:
        envelope = decode(body)
    except Unreadable:
        return Recorded(seq, stand_in(seq, subject, body))
    where = place(envelope.subject, envelope.type.split(".")[2])
    if where != subject or not envelope.type.startswith(f"aps.{envelope.subject.partition('/')[0]}."):
        return Fault(seq, subject, f"the message holds a {where}")
    return Recorded(seq, envelope)


def respelt(one: Item, body: bytes) -> Iterator[Fault]:
    """Yield that the bytes of an event are not those that say it."""
    if not isinstance(one, Fault) and not is_unreadable(one.envelope) and one.envelope.encode() != body:
        what = "its bytes were altered: they say the same in another form, or say something twice"
        yield Fault(one.seq, one.envelope.subject, what)


def verify(items: Iterable[Item], after: int = 0, heads: Iterable[Head] = ()) -> Iterator[Fault]:
    """Yield every fault of `items`, which follow sequence `after`.

    With `after` the links of each aggregate's first event cannot be seen and are not checked. `heads` are
    those whose signature holds; they need the whole log.
    """
    proof = LogProof(heads, after)
    for one in items:
        yield from proof.see(one)
    yield from proof.end()


class LogProof:
    """Looks at a log event by event.

    `last` is the sequence seen last, `signed` the last head that fits, `unreadable` the messages that are no
    events.
    """

    def __init__(self, heads: Iterable[Head] = (), after: int = 0) -> None:
        """See `verify`."""
        self.last = after
        self.signed = 0
        self.unreadable: list[Notice] = []
        self._from_start = not after
        self._chain = NO_HASH
        self._heads = {head.seq: head for head in heads}
        self._positions: dict[str, Position] = {}

    def see(self, one: Item) -> Iterator[Fault]:
        """Yield what is wrong with the next event."""
        if one.seq != self.last + 1:
            yield Fault(one.seq, LOG, f"follows sequence {self.last}; {self.last + 1} was expected")
        self.last = one.seq
        if isinstance(one, Fault):
            yield one
        elif is_unreadable(one.envelope):
            self._note(one)
        else:
            yield from self._links(one)
        yield from self._head(one.seq)

    def end(self) -> Iterator[Fault]:
        """Yield what is missing after the last event."""
        beyond = max(self._heads, default=0)
        if beyond > self.last:
            head = self._heads[beyond]
            what = f"the log ends here; a head signed at {head.time} stands at {beyond}:"
            yield Fault(self.last, LOG, f"{what} {gone(beyond - self.last)}")

    def _note(self, one: Recorded) -> None:
        what = f"the message is no event: {complaint(one.envelope)}"
        self.unreadable.append(Notice(one.seq, message_of(one.envelope).subject, what))
        self._chain = chained(self._chain, one.envelope.hash)

    def _links(self, event: Recorded) -> Iterator[Fault]:
        envelope = event.envelope
        before = self._positions.get(envelope.subject, Position() if self._from_start else None)
        for what in _faults(envelope, before):
            yield Fault(event.seq, envelope.subject, what)
        self._positions[envelope.subject] = Position(envelope.sequence, event.seq, envelope.hash)
        self._chain = chained(self._chain, envelope.hash)

    def _head(self, seq: int) -> Iterator[Fault]:
        head = self._heads.pop(seq, None)
        if head is None:
            return
        if head.chain != self._chain:
            what = f"the log up to here is not the one signed at {head.time}:"
            since = f"after sequence {self.signed}" if self.signed else "from its beginning"
            yield Fault(seq, LOG, f"{what} something {since} was altered")
            self._chain = head.chain
        self.signed = seq


class WayProof:
    """Looks at where each event of the stream, from its first on, says that the one before it stands."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._last: dict[str, int] = {}

    def see(self, one: Item, subject: str, told: int | None) -> Iterator[Fault]:
        """Yield what is wrong with the next one, stored on `subject`; `told` is the sequence it names."""
        aggregate = subject.rpartition(".")[0]
        before = self._last.get(aggregate, 0)
        self._last[aggregate] = one.seq
        if isinstance(one, Fault) or is_unreadable(one.envelope) or told in (None, before):
            return
        stands = f"the one before it stands at {before}" if before else "there is none before it"
        yield Fault(one.seq, one.envelope.subject, f"its way back leads to sequence {told}; {stands}")


def _faults(envelope: Envelope, before: Position | None) -> Iterator[str]:
    if digest(envelope) != envelope.hash:
        yield "was altered: its hash does not fit its content"
    if before is None:
        return
    if envelope.sequence != before.version + 1:
        yield f"version {envelope.sequence} follows version {before.version}"
    elif envelope.prevhash != before.hash:
        yield f"version {envelope.sequence} does not link to the event before it"
