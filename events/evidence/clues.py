"""What tells where a sealed file was altered, where nothing on the place itself proves it.

Rules
1. The seal covers every byte, a hash or a signature of its own only some of them. What is found here counts
   only where the seal does not fit: in a sound file it means nothing.
2. Each kind is told once, at the first place, with how many more there are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from events.evidence.export import BODY, Exported, Line, Opening, Other, encoded
from events.evidence.verify import Fault

REFERENCE = re.compile(rb'"sha256":"([0-9a-f]{64})","size":')  # in an event: the fields stand sorted


@dataclass
class _Kind:
    """The first place of a kind, and how many there are."""

    first: Fault | None = None
    count: int = 0

    def add(self, fault: Fault) -> None:
        self.first = self.first or fault
        self.count += 1

    def told(self) -> Iterator[Fault]:
        if self.first is None:
            return
        more = f"; so it is with {self.count - 1} more" if self.count > 1 else ""
        yield Fault(self.first.seq, self.first.where, f"{self.first.what}{more}")


@dataclass(frozen=True)
class _Time:
    """When the event of a line was stored, by that line."""

    seq: int
    where: str
    at: datetime


@dataclass
class _Order:
    """Finds the line whose time is out of order: the one without which the rest is in order.

    Where one is earlier than the one before it, either may be the odd one; the next one tells.
    """

    _before: _Time | None = None
    _last: _Time | None = None
    _open: _Time | None = None  # earlier than `_last`, and not earlier than `_before`

    def see(self, now: _Time, odd: _Kind) -> None:
        late, early = self._last, self._open
        if late and early:
            self._open = None
            if now.at >= late.at:
                odd.add(_early(early, late))
            else:
                odd.add(_late(late, early))
                self._last = early
        self._follow(now, odd)

    def _follow(self, now: _Time, odd: _Kind) -> None:
        if self._last is None or now.at >= self._last.at:
            self._before, self._last = self._last, now
        elif self._before is None or now.at >= self._before.at:
            self._open = now
        else:
            odd.add(_early(now, self._last))

    def end(self, odd: _Kind) -> None:
        if self._last and self._open:
            odd.add(_early(self._open, self._last))


def _early(odd: _Time, other: _Time) -> Fault:
    return Fault(odd.seq, odd.where, f"was stored at {odd.at}, and {other.where} before it at {other.at}")


def _late(odd: _Time, other: _Time) -> Fault:
    return Fault(odd.seq, odd.where, f"was stored at {odd.at}, and {other.where} after it at {other.at}")


@dataclass
class Clues:
    """Looks at each line of an export; `artefacts` are those that came before it, kept by the caller."""

    artefacts: set[str] = field(default_factory=set)
    _form: _Kind = field(default_factory=_Kind)
    _times: _Kind = field(default_factory=_Kind)
    _beside: bool = False
    _missing: dict[str, int] = field(default_factory=dict)
    _opened: datetime | None = None
    _order: _Order = field(default_factory=_Order)

    def see(self, line: Line, raw: bytes, where: str) -> None:
        """Look at a line that could be read."""
        seq = line.seq if isinstance(line, Exported) else 0
        if raw.endswith(b"\r\n"):
            self._form.add(Fault(seq, where, "ends in CR LF; an export ends its lines in LF alone"))
        elif not _as_written(line, raw):
            self._form.add(
                Fault(seq, where, "is written otherwise than an export is: spaces, order, or its end")
            )
        if isinstance(line, Opening):
            self._opened = _moment(line.time)
        elif isinstance(line, Exported):
            self._time(line, where)
            self._artefacts_of(line)
        self._beside = self._beside or isinstance(line, Other)

    def told(self) -> Iterator[Fault]:
        """Yield what does not fit; only for a file whose seal does not fit."""
        self._order.end(self._times)
        yield from self._form.told()
        yield from self._times.told()
        for sha256, seq in self._missing.items():
            yield Fault(seq, f"artefact {sha256}", "is named by this event and is not in the file")

    def _artefacts_of(self, line: Exported) -> None:
        """Note what the event names and the file lacks: a backup has it before, an export never."""
        for found in REFERENCE.findall(line.body) if self._beside else ():
            sha256 = found.decode()
            if sha256 not in self.artefacts:
                self._missing.setdefault(sha256, line.seq)

    def _time(self, line: Exported, where: str) -> None:
        at = _moment(line.stored)
        if at is None:
            if line.stored:
                self._times.add(Fault(line.seq, where, f"its stored time {line.stored!r} is no moment"))
            return
        now = _Time(line.seq, where, at)
        if self._opened and at > self._opened:
            self._times.add(Fault(line.seq, where, f"was stored at {at}, after the export began"))
            return
        self._order.see(now, self._times)


def _as_written(line: Line, raw: bytes) -> bool:
    if isinstance(line, Exported) and BODY in raw:
        front = {"seq": line.seq, "subject": line.subject, "stored": line.stored, "chain": line.chain}
        return raw == orjson.dumps(front)[:-1] + BODY + line.body + b"}\n"
    return raw == encoded(line)


def _moment(text: str) -> datetime | None:
    """Return a moment with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
