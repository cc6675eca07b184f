"""Proof of an exported log or a backup, by its lines alone, without any server.

Rules
1. Every fault is told with its place: the sequence, or the line where nothing can be read.
2. Heads and the seal count only when a trusted key signed them: one that was given, else the one inside.
   Every export is sealed, so one without a seal is altered.
3. Artefacts must fit their names, and all chunks of each must be there.
4. A seal that does not fit is told with the first stretch between two seals that was altered (`Stretches`),
   and with every place that does not look as it was written (`Clues`); that it is somewhere is said only
   where nothing else is known.
5. A file without one line of an export is none: that is said once, in place of a fault for each line.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from events.envelope import NO_HASH, Unreadable
from events.evidence.archive import ArtefactProof
from events.evidence.clues import Clues
from events.evidence.export import Closing, Exported, InnerSeal, Line, Opening, Other, decoded
from events.evidence.heads import Head, NoKey, PublicKey, gaps, wrong
from events.evidence.stretches import Stretches, said, unproven
from events.evidence.verify import LOG, Fault, LogProof, Notice, chained, item, respelt

HEADS = "heads"
SEALED = "seal"
LOOKED_AT = 1000
OPENING = b'{"export":'
SOMEWHERE = (
    "Where is not known: somewhere something was altered, added or removed that nothing but the seal covers,"
    " such as a stored time, the last head, a setting or a message beside the log"
)


class NoExport(ValueError):  # noqa: N818 -- says what the file is
    """Not one line belongs to an export."""


class ExportProof:
    """One reading of an export. After it: how many `events` there were, and how far they are `signed`."""

    def __init__(self, trusted: Sequence[PublicKey] = ()) -> None:
        """Without `trusted` the key inside the export is."""
        self.events = 0
        self.trusted = tuple(trusted)
        self.trusts_inside = False
        self.opening: Opening | None = None
        self._earlier: tuple[PublicKey, ...] = ()
        self.closing: Closing | None = None
        self.sealed = False
        self._heads: list[Head] = []
        self._sound: list[Head] = []
        self._log: LogProof | None = None
        self._chain = NO_HASH
        self._lines = hashlib.sha256()
        self._artefacts = ArtefactProof()
        self._clues = Clues(self._artefacts.whole)
        self._stretches = Stretches()
        self._number = 0
        self._faulty = False

    @property
    def signed(self) -> int:
        """The sequence of the last head that fits."""
        return self._log.signed if self._log else 0

    @property
    def unreadable(self) -> tuple[Notice, ...]:
        """The messages that are no events."""
        return tuple(self._log.unreadable) if self._log else ()

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The keys whose heads count: the trusted ones, and those that the sealed opening names besides."""
        return (*self.trusted, *self._earlier)

    @property
    def artefacts(self) -> int:
        """How many whole artefacts there were."""
        return len(self._artefacts.whole)

    @property
    def messages(self) -> int:
        """How many messages of other streams there were."""
        return self._artefacts.messages

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads that a trusted key signed."""
        return tuple(self._sound)

    def read(self, lines: Iterable[bytes]) -> Iterator[Fault]:
        """Yield every fault of the lines. Raises `NoExport`, before any fault."""
        for fault in self._read(_require_export(lines)):
            self._faulty = True
            yield fault
        yield from self._seal()

    def _read(self, lines: Iterable[bytes]) -> Iterator[Fault]:
        for number, raw in enumerate(lines, start=1):
            try:
                line = decoded(raw)
            except Unreadable as problem:
                line = None
                yield Fault(self._last, f"line {number}", str(problem))
            yield from self._stretches.see(number, line, self._found, self._last, self.trusted)
            if line is not None:
                self._clues.see(line, raw, f"line {number}")
                yield from self._see(line, f"line {number}")
            if not isinstance(line, Closing):
                self._lines.update(raw)
                self._number = number
        yield from self._end()

    def _found(self) -> tuple[int, str, str]:
        """Return what the lines so far come to, as a seal says it."""
        return self.events, self._chain, self._lines.hexdigest()

    @property
    def _last(self) -> int:
        return self._log.last if self._log else 0

    def _see(self, line: Line, where: str) -> Iterator[Fault]:
        if self.closing is not None:
            yield Fault(self._last, where, "stands after the end of the export")
            return
        match line:
            case Opening():
                yield from self._open(line, where)
            case Head():
                yield from self._note(line, where)
            case Exported():
                yield from self._event(line)
            case Closing():
                self.closing = line
            case Other():
                yield from self._artefacts.see(line, where)
            case InnerSeal():
                pass  # looked at before the line itself counts

    def _open(self, line: Opening, where: str) -> Iterator[Fault]:
        if self.opening is not None or self._heads or self._log:
            yield Fault(self._last, where, "the opening of an export does not stand here")
            return
        self.opening = line
        try:
            self._earlier = tuple(map(PublicKey, line.earlier))
            if not self.trusted and line.public:
                self.trusted = (PublicKey(line.public),)
                self.trusts_inside = True
        except NoKey as problem:
            yield Fault(0, where, str(problem))

    def _note(self, head: Head, where: str) -> Iterator[Fault]:
        self._heads.append(head)
        if self._log is not None:
            yield Fault(head.seq, where, "a head stands after the events")
        if problem := wrong(head, self.keys):
            yield Fault(head.seq, HEADS, problem)
        else:
            self._sound.append(head)

    def _begin(self) -> Iterator[Fault]:
        self._log = LogProof(self._sound)
        if self.opening is None:
            yield Fault(0, LOG, "no line of an exported log opens this: its beginning was cut off")
        for head, problem in gaps(self._heads):
            yield Fault(head.seq, HEADS, problem)

    def _event(self, line: Exported) -> Iterator[Fault]:
        if self._log is None:
            yield from self._begin()
        assert self._log is not None  # noqa: S101 -- made by the line before
        self.events += 1
        one = item(line.seq, line.subject, line.body)
        if not isinstance(one, Fault):
            self._chain = chained(self._chain, one.envelope.hash)
        yield from respelt(one, line.body)
        if self._chain != line.chain:
            yield Fault(line.seq, LOG, "the chain over the whole log does not fit here")
        self._chain = line.chain
        yield from self._log.see(one)

    def _end(self) -> Iterator[Fault]:
        if self._log is None:
            yield from self._begin()
        assert self._log is not None  # noqa: S101 -- made by the line before
        yield from self._log.end()
        if self.opening is not None and self.opening.until != self._log.last:
            until = f"it was written up to sequence {self.opening.until}"
            yield Fault(self._log.last, LOG, f"the events end here; {until}")
        yield from self._artefacts.end()

    def _altered(self, closing: Closing) -> Iterator[Fault]:
        what = "what stands before is not what the export was closed with"
        last = [] if unproven(closing, self.trusted) else [*self._stretches.end(self._number + 1)]
        clues = [*last, *self._clues.told()]
        yield from clues
        if not clues and not self._faulty:
            what = f"{what}. {SOMEWHERE}"
        yield Fault(self._last, SEALED, what)

    def _seal(self) -> Iterator[Fault]:
        closing = self.closing
        if closing is None:
            yield Fault(self._last, LOG, "the export was cut off: its end is missing")
            return
        if self._found() != said(closing):
            yield from self._altered(closing)
        if problem := unproven(closing, self.trusted):
            yield Fault(self._last, SEALED, problem)
        else:
            self.sealed = True


def _require_export(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Return the lines where one of the first belongs to an export. Raises `NoExport`."""
    rest = iter(lines)
    first: list[bytes] = []
    for raw in islice(rest, LOOKED_AT):
        first.append(raw)
        if _belongs(raw):
            return chain(first, rest)
    seen = f"not one of its first {LOOKED_AT} lines" if len(first) == LOOKED_AT else "not one line of it"
    raise NoExport(f"is no export of the log: {seen} is one that `aps events export` or `aps backup` writes")


def _belongs(raw: bytes) -> bool:
    """Whether a line is one that every export has; an opening also where its form is another."""
    if raw.startswith(OPENING):
        return True
    try:
        return not isinstance(decoded(raw), Other)
    except Unreadable:
        return False
