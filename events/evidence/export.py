"""The form of an exported log: JSON lines, each event byte for byte as the stream has it.

Rules
1. First `export` (how far it goes, the public key), then every `head`, then the events by sequence, at
   last `end`: what all before comes to, signed where a key is at hand.
2. An event's body stands in its line as it is, or in base64 where it is no envelope on one line.
3. A backup is an export with more lines between the heads and the events: see `events.evidence.archive`.
4. After each `STRETCH` lines stands a `seal`: what all before comes to, itself not counted, as `end` says it.
   The first that does not fit tells where the first alteration is. Form 1 has none of them; it is read still.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from events.envelope import NO_HASH, Unreadable, decode
from events.evidence.heads import INNER_SEAL, SEAL, Head, SigningKey, decode_head
from events.evidence.verify import Fault, chained, item
from events.trouble import in_words

FORM = 2
FORMS = (1, FORM)
STRETCH = 25  # lines: one signature costs about as much as writing two of them
NOT_ITS = "it has not the fields of one, each of its kind"
BODY = b',"event":'
ENCODED = b',"base64":'


@dataclass(frozen=True)
class Opening:
    """The log up to `until`; `public` is the key that proves heads and seals, `earlier` those of other heads.

    Earlier keys count only as far as the seal holds, which covers this line.
    """

    until: int
    public: str
    time: str
    earlier: tuple[str, ...] = ()
    form: int = FORM


@dataclass(frozen=True)
class Exported:
    """A message of the log. `stored` is when the stream took it, `chain` the chain over the log after it."""

    seq: int
    subject: str
    stored: str
    chain: str
    body: bytes


@dataclass(frozen=True)
class Seal:
    """What stands before: so many events, the chain over them, the sha256 of all lines. Signed by `key`."""

    DOMAIN: ClassVar[bytes]

    events: int
    chain: str
    sha256: str
    key: str = ""
    signature: str = ""

    def content(self) -> bytes:
        """Return what is signed."""
        return self.DOMAIN + orjson.dumps([self.events, self.chain, self.sha256, self.key])


@dataclass(frozen=True)
class InnerSeal(Seal):
    """A seal on the way, after so many lines."""

    DOMAIN: ClassVar[bytes] = INNER_SEAL


@dataclass(frozen=True)
class Closing(Seal):
    """The seal at the end of an export."""

    DOMAIN: ClassVar[bytes] = SEAL


@dataclass(frozen=True)
class Other:
    """A line that only a backup has: what it is called, and its fields."""

    kind: str
    fields: Mapping[str, Any]


Line = Opening | Head | Exported | InnerSeal | Closing | Other
S = TypeVar("S", bound=Seal)
SEALS: dict[str, type[InnerSeal] | type[Closing]] = {"seal": InnerSeal, "end": Closing}


def encoded(line: Line) -> bytes:
    """Return a line with its end."""
    match line:
        case Opening():
            fields = asdict(line)
            return orjson.dumps({"export": fields.pop("form"), **fields}) + b"\n"
        case Head():
            return b'{"head":' + line.encode() + b"}\n"
        case Exported():
            return _event(line)
        case InnerSeal():
            return orjson.dumps({"seal": asdict(line)}) + b"\n"
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
        form, earlier = fields["export"], tuple(map(str, fields["earlier"]))
        if form not in FORMS:
            raise Unreadable(f"an export of form {form}; this program reads up to form {FORM}")
        return Opening(int(fields["until"]), str(fields["public"]), str(fields["time"]), earlier, form)
    ((kind, content),) = fields.items()
    if kind == "head":
        return decode_head(orjson.dumps(content))
    if kind in SEALS:
        return _seal(SEALS[kind], **content)
    return Other(kind, dict(content))


def _seal(kind: type[S], events: int, chain: str, sha256: str, key: str = "", signature: str = "") -> S:
    if type(events) is not int or {type(one) for one in (chain, sha256, key, signature)} != {str}:
        raise Unreadable("no line of an exported log: events is an integer, all else of a seal is text")
    return kind(events, chain, sha256, key, signature)


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
    """Writes an export line by line, sealed with a key, and keeps what it comes to."""

    def __init__(
        self, out: Writable, opening: Opening, heads: Iterable[Head] = (), key: SigningKey | None = None
    ) -> None:
        """Write the opening and the heads; `out` stays the caller's."""
        self.events = 0
        self.last = 0
        self.chain = NO_HASH
        self._out = out
        self._key = key
        self._since = 0
        self._lines = hashlib.sha256()
        self.write(opening)
        for head in heads:
            self.write(head)

    def event(self, seq: int, subject: str, stored: str, body: bytes) -> None:
        """Write a message of the log."""
        one = item(seq, subject, body)
        if not isinstance(one, Fault):
            self.chain = chained(self.chain, one.envelope.hash)
        self.events += 1
        self.last = seq
        self.write(Exported(seq, subject, stored, self.chain, body))

    def write(self, line: Line) -> None:
        """Write any other line."""
        self._put(line)
        self._since += 1
        if self._since == STRETCH:
            self._put(self._sealed(InnerSeal))
            self._since = 0

    def close(self) -> Closing:
        """Write the end, signed where there is a key."""
        closing = self._sealed(Closing)
        self._out.write(encoded(closing))
        return closing

    def _put(self, line: Line) -> None:
        content = encoded(line)
        self._lines.update(content)
        self._out.write(content)

    def _sealed(self, kind: type[S]) -> S:
        key = self._key
        seal = kind(self.events, self.chain, self._lines.hexdigest(), key.public.id if key else "")
        return replace(seal, signature=key.sign(seal.content())) if key else seal
