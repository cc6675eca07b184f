"""The envelope around every fact: CloudEvents 1.0 structured JSON with a hash chain.

Rules
1. `hash` is sha256 over `prevhash` and the RFC 8785 form of everything else; it chains an aggregate.
2. `sequence` is the version within the aggregate, from 1; `prevhash` of version 1 is 64 zeros.
3. An answer to another event has the id `uuid5(cause, n)`: a repeated reaction makes the same ids.
4. Bodies hold no floats and only ASCII keys, so that orjson's sorted form is the RFC 8785 form.
5. `time` is the writer's clock; it orders nothing. Order is `sequence` and the place in the stream.
6. What `decode` does not read is kept as it is, and no event (`events.unreadable`): what it reads is part of
   the chain over the whole log, so it may never read more or less of what may be there already.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson

from events.fact import Fact
from events.subjects import Address
from events.trouble import in_words

SPECVERSION = "1.0"
NO_HASH = "0" * 64
CACHED = 4096
NO_ENVELOPE = "no event envelope"  # how every complaint about such bytes begins
NOT_ITS = "it has not the fields of one, each of its kind, or is nested too deep"
NO_EVENT = ".unreadable"  # in place of a version, where an envelope stands in for no event: never on the log


class Unreadable(ValueError):  # noqa: N818 -- says what the bytes are
    """Bytes on the log that are no envelope of ours."""


@dataclass(frozen=True)
class Envelope:
    """One recorded event as it stands on the log. `data` is the fact's JSON form."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    dataschema: str
    data: dict[str, Any]
    actor: str
    correlationid: str
    causationid: str
    sequence: int
    prevhash: str
    traceparent: str = ""
    specversion: str = SPECVERSION
    datacontenttype: str = "application/json"
    hash: str = ""

    def sealed(self) -> "Envelope":
        """Return the same envelope with its hash."""
        return _of({**self.__dict__, "hash": digest(self)})

    def encode(self) -> bytes:
        """Return readable JSON bytes."""
        return orjson.dumps(self.__dict__)

    @property
    def at(self) -> datetime:
        """The time of the event."""
        return datetime.fromisoformat(self.time)

    @property
    def address(self) -> Address:
        """Aggregate, id and fact name, from `type` and `subject`."""
        _, aggregate, fact, _ = self.type.split(".")
        return Address(aggregate, self.subject.partition("/")[2], fact)


FIELDS = tuple(Envelope.__dataclass_fields__)
texts = itemgetter(*(name for name in FIELDS if name not in ("data", "sequence")))


@lru_cache(CACHED)
def parts_of(kind: str) -> tuple[str, str]:
    """Return aggregate and fact name of a type; raise `Unreadable` for what is no type of ours."""
    parts = kind.split(".")
    if len(parts) != 4:
        raise Unreadable(f"{NO_ENVELOPE}: a type is aps.<aggregate>.<fact>.<version>")
    if kind.endswith(NO_EVENT):
        raise Unreadable(f"{NO_ENVELOPE}: it says that it stands in for a message that is no event")
    return parts[1], parts[2]


def _of(fields: dict[str, Any]) -> Envelope:
    # a frozen dataclass sets each field by a call of its own: ten times the time of this
    envelope = Envelope.__new__(Envelope)
    envelope.__dict__.update(fields)
    return envelope


def digest(envelope: Envelope) -> str:
    """Return the hash that `envelope` should carry."""
    body = envelope.__dict__.copy()
    del body["hash"], body["prevhash"]
    form = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(envelope.prevhash.encode() + form).hexdigest()


def decode(body: bytes) -> Envelope:
    """Read an envelope; raise `Unreadable` for anything else. The hash is not checked here."""
    try:
        fields = orjson.loads(body)
        if len(fields) != len(FIELDS):
            fields = Envelope(**fields).__dict__
        "".join(texts(fields))  # the cheapest proof that each is there and a text
        time = datetime.fromisoformat(fields["time"])
        data, sequence = fields["data"], fields["sequence"]
        orjson.dumps([[[[[[[[data]]]]]]]])  # what is read may be too deep to be written, or shown inside more
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise Unreadable(f"{NO_ENVELOPE}: {in_words(problem, NOT_ITS)}") from problem
    parts_of(fields["type"])
    if type(data) is not dict or type(sequence) is not int:
        raise Unreadable(f"{NO_ENVELOPE}: data is an object and sequence an integer")
    if time.tzinfo is not UTC:
        _require_utc(time)
    subject = fields["subject"]
    if not (subject.isascii() and subject.isprintable()):
        raise Unreadable(f"{NO_ENVELOPE}: the subject holds other than printable ASCII")
    return _of(fields)


def _require_utc(time: datetime) -> None:
    """Raise `Unreadable` for a time that has no place in UTC."""
    if time.tzinfo is None:
        raise Unreadable(f"{NO_ENVELOPE}: time has no zone")
    try:
        time.astimezone(UTC)
    except (OverflowError, ValueError) as problem:
        raise Unreadable(f"{NO_ENVELOPE}: {problem}") from problem


@dataclass(frozen=True)
class Cause:
    """Why facts are appended: the event they answer, the chain it belongs to, and the actor.

    `depth` is how many events led there, that event included (see `events.depth`).
    """

    actor: str
    source: str
    correlation: str
    event: str = ""
    traceparent: str = ""
    depth: int = 0

    def answer_id(self, address: Address, version: int) -> str:
        """Return the id of the fact at `version` of `address`, the same at every repetition."""
        name = f"{address.aggregate}/{address.id}/{version}/{address.fact}"
        return _uuid5(_namespace(self.event or self.correlation), name)


@lru_cache(CACHED)
def _namespace(text: str) -> bytes:
    return UUID(text).bytes


def _uuid5(namespace: bytes, name: str) -> str:
    # what uuid.uuid5 gives (RFC 9562, 5.5), without its objects in between
    sha1 = hashlib.sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(sha1[16], 16) & 3]
    return f"{sha1[:8]}-{sha1[8:12]}-5{sha1[13:16]}-{variant}{sha1[17:20]}-{sha1[20:32]}"


@lru_cache(CACHED)
def _kind(aggregate: str, fact: type[Fact]) -> tuple[str, str]:
    kind = f"aps.{aggregate}.{fact.name}.v{fact.version}"
    return kind, f"urn:{kind.replace('.', ':')}"


def envelop(
    fact: Fact, address: Address, version: int, prevhash: str, cause: Cause, now: datetime
) -> Envelope:
    """Put a fact into a sealed envelope. `now` is timezone-aware."""
    kind, schema = _kind(address.aggregate, type(fact))
    envelope = _of(
        {
            "id": cause.answer_id(address, version),
            "source": cause.source,
            "type": kind,
            "subject": f"{address.aggregate}/{address.id}",
            "time": (now if now.tzinfo is UTC else now.astimezone(UTC)).isoformat(timespec="microseconds"),
            "dataschema": schema,
            "data": fact.model_dump(mode="json"),
            "actor": cause.actor,
            "correlationid": cause.correlation,
            "causationid": cause.event,
            "sequence": version,
            "prevhash": prevhash,
            "traceparent": cause.traceparent,
            "specversion": SPECVERSION,
            "datacontenttype": "application/json",
            "hash": "",
        }
    )
    envelope.__dict__["hash"] = digest(envelope)
    return envelope
