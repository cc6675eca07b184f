"""The form of an exported log: JSON lines, each event byte for byte as the stream has it.

Rules
1. First `export` (how far it goes, the public key), then every `head`, then the events by sequence, at
   last `end`: what all before comes to, signed where a key is at hand.
2. An event's body stands in its line as it is, or in base64 where it is no envelope on one line.
3. A backup is an export with more lines between the heads and the events: see `events.evidence.archive`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import orjson

from events.envelope import NO_HASH, Unreadable, decode
from events.evidence.heads import SEAL, Head, SigningKey, decode_head
from events.evidence.verify import Fault, chained, item
from events.trouble import in_words

FORM = 1
NOT_ITS = "it has not the fields of one, each of its kind"
BODY = b',"event":'
ENCODED = b',"base64":'


@dataclass(frozen=True)
class Opening:
    """The log up to `until`; `public` is the key that proves heads and seal, `earlier` those of other heads.

    Earlier keys count only as far as the seal holds, which covers this line.
    """

    until: int
    public: str
    time: str
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """A message of the log. `stored` is when the stream took it, `chain` the chain over the log after it."""

    seq: int
    subject: str
    stored: str
    chain: str
    body: bytes


@dataclass(frozen=True)
class Closing:
    """What stands before: so many events, the chain over them, the sha256 of all lines. Signed by `key`."""

    events: int
    chain: str
    sha256: str
    key: str = ""
    signature: str = ""

    def content(self) -> bytes:
        """Return what is signed."""
        return SEAL + orjson.dumps([self.events, self.chain, self.sha256, self.key])


@dataclass(frozen=True)
class Other:
    """A line that only a backup has: what it is called, and its fields."""

    kind: str
    fields: Mapping[str, Any]


Line = Opening | Head | Exported | Closing | Other


def encoded(line: Line) -> bytes:
    """Return a line with its end."""
    match line:
        case Opening():
            return orjson.dumps({"export": FORM, **asdict(line)}) + b"\n"
        case Head():
            return b'{"head":' + line.encode() + b"}\n"
        case Exported():
            return _event(line)
        case Closing():
            return orjson.dumps({"end": asdict(line)}) + b"\n"
        case Other():
            return orjson.dumps({line.kind: line.fields}) + b"\n"


def _event(line: Exported) -> bytes:
    front = {"seq": line.seq, "subject": line.subject, "stored": line.stored, "chain": line.chain}
    head = orjson.dumps(front)[:-1]
    if _is_one_line(line.body):
        return head + BODY + line.body + b"}\n"
    return head + ENCODED + orjson.dumps(base64.b64encode(line.body).decode()) + b"}\n"


def _is_one_line(body: bytes) -> bool:
    try:
        decode(body)
    except Unreadable:
        return False
    return b"\n" not in body


def decoded(line: bytes) -> Line:
    """Read a line back. Raises `Unreadable`."""
    try:
        return _decoded(line.rstrip(b"\r\n"))
    except Unreadable:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as problem:
        raise Unreadable(f"no line of an exported log: {in_words(problem, NOT_ITS)}") from problem


def _decoded(line: bytes) -> Line:
    fields = orjson.loads(line)
    if "seq" in fields:
        return _exported(line, fields)
    if "export" in fields:
        if fields["export"] != FORM:
            raise Unreadable(f"an export of form {fields['export']}; this program reads form {FORM}")
        earlier = tuple(map(str, fields["earlier"]))
        return Opening(int(fields["until"]), str(fields["public"]), str(fields["time"]), earlier)
    ((kind, content),) = fields.items()
    if kind == "head":
        return decode_head(orjson.dumps(content))
    return _closing(**content) if kind == "end" else Other(kind, dict(content))


def _closing(events: int, chain: str, sha256: str, key: str = "", signature: str = "") -> Closing:
    if type(events) is not int or {type(one) for one in (chain, sha256, key, signature)} != {str}:
        raise Unreadable("no line of an exported log: events is an integer, all else of its end is text")
    return Closing(events, chain, sha256, key, signature)


def _exported(line: bytes, fields: dict[str, Any]) -> Exported:
    names = ("seq", "subject", "stored", "chain")
    seq, subject, stored, chain = (fields.pop(name) for name in names)
    if type(seq) is not int or {type(subject), type(stored), type(chain)} != {str}:
        raise Unreadable("no line of an exported log: seq is an integer, subject, stored and chain are text")
    if list(fields) == ["event"]:
        # the front is written by us, and JSON text cannot hold these bytes: what follows is the body
        front, _, body = line.partition(BODY)
        if not front.startswith(b'{"seq":'):
            raise Unreadable("no line of an exported log: its fields stand in another order")
        return Exported(seq, subject, stored, chain, body[:-1])
    if list(fields) == ["base64"]:
        return Exported(seq, subject, stored, chain, base64.b64decode(fields["base64"], validate=True))
    raise Unreadable("no line of an exported log: an event, or its base64, and nothing else")


class Writable(Protocol):
    """Where an export goes to."""

    def write(self, content: bytes, /) -> object:
        """Take some bytes."""
        ...


class ExportWriter:
    """Writes an export line by line and keeps what it comes to."""

    def __init__(self, out: Writable, opening: Opening, heads: Iterable[Head] = ()) -> None:
        """Write the opening and the heads; `out` stays the caller's."""
        self.events = 0
        self.last = 0
        self.chain = NO_HASH
        self._out = out
        self._lines = hashlib.sha256()
        self.write(opening)
        for head in heads:
            self.write(head)

    def event(self, seq: int, subject: str, stored: str, body: bytes) -> None:
        """Write a message of the log."""
        one = item(seq, subject, body)
        if not isinstance(one, Fault):
            self.chain = chained(self.chain, one.envelope.hash)
        self.write(Exported(seq, subject, stored, self.chain, body))
        self.events += 1
        self.last = seq

    def write(self, line: Line) -> None:
        """Write any other line."""
        content = encoded(line)
        self._lines.update(content)
        self._out.write(content)

    def close(self, key: SigningKey | None) -> Closing:
        """Write the end, signed where there is a key."""
        unsigned = Closing(self.events, self.chain, self._lines.hexdigest(), key.public.id if key else "")
        signature = key.sign(unsigned.content()) if key else ""
        closing = replace(unsigned, signature=signature)
        self._out.write(encoded(closing))
        return closing
