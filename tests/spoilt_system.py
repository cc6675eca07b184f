"""A log, its journal and its heads in memory, all sound: for tests that spoil them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from events.envelope import NO_HASH
from events.evidence.head_proof import prove_heads
from events.evidence.heads import Head
from events.evidence.verify import Fault
from events.jetstream.stream_reader import Stored
from events.memory import InMemoryEventStore
from events.store import Position, Recorded
from projections.journal import JournalRow
from projections.journal import lines as journal_lines
from services.cli.history.proving import prove
from tests.conftest import run
from tests.exported_log import OURS, heads_of, stored
from tests.projection_facts import CYCLE, Clock, tell

EVERY = 7
END = len(CYCLE)


async def told() -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    return [event async for event in store.read_all()]


EVENTS = run(told())
HEADS = heads_of(EVENTS, EVERY)


class Stream:
    """A stream as the server gives it, by pages."""

    def __init__(self, messages: Sequence[Stored], head: int) -> None:
        self._messages = messages
        self._head = head

    async def head(self) -> int:
        return self._head

    async def page(self, after: int, limit: int) -> list[Stored]:
        return [message for message in self._messages if message.seq > after][: min(limit, 9)]


@dataclass
class Kept:
    """A journal in memory."""

    lines: dict[int, JournalRow]
    end_at: int

    async def end(self) -> int:
        return self.end_at

    async def rows(self, after: int, until: int) -> Mapping[int, JournalRow]:
        return {seq: row for seq, row in self.lines.items() if after < seq <= until}

    async def strays(self, end: int) -> Sequence[int]:
        return [seq for seq in self.lines if seq < 1 or seq > end]


@dataclass
class System:
    """A log, its journal and both copies of its heads, all sound: to be spoilt."""

    messages: list[Stored] = field(default_factory=lambda: [stored(event) for event in EVENTS])
    journal: dict[int, JournalRow] = field(
        default_factory=lambda: {row.seq: row for row in journal_lines(EVENTS, NO_HASH)}
    )
    database: list[Head] = field(default_factory=lambda: list(HEADS))
    stream: list[Head] = field(default_factory=lambda: list(HEADS))
    journal_end: int = END

    def faults(self) -> list[Fault]:
        """What a proof of all of it finds."""
        heads = prove_heads(self.database, self.stream, [OURS.public])
        last = max((message.seq for message in self.messages), default=0)
        kept = Kept(self.journal, self.journal_end)
        return [*run(prove(Stream(self.messages, last), kept, heads, lambda _: None)).faults]

    def forget_the_journal(self) -> None:
        """No views were ever built here: the log and its heads alone must tell."""
        self.journal, self.journal_end = {}, 0

    def republish(self, bodies: Sequence[Stored]) -> None:
        """Let a fresh stream give the messages sequences of its own."""
        self.messages = [message._replace(seq=seq) for seq, message in enumerate(bodies, start=1)]


def rewritten(events: Sequence[Recorded]) -> list[Recorded]:
    """The events with versions, links and hashes made to fit: what a forger with the program could write."""
    before: dict[str, Position] = {}
    fitting = []
    for seq, event in enumerate(events, start=1):
        at = before.get(event.envelope.subject, Position())
        envelope = replace(event.envelope, sequence=at.version + 1, prevhash=at.hash).sealed()
        before[envelope.subject] = Position(envelope.sequence, seq, envelope.hash)
        fitting.append(Recorded(seq, envelope))
    return fitting


def places(faults: Sequence[Fault]) -> set[int]:
    return {fault.seq for fault in faults}


def next_head(seq: int) -> int:
    """The first signed head at or after a sequence."""
    return next(head.seq for head in HEADS if head.seq >= seq)
