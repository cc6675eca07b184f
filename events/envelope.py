"""The envelope around every fact: CloudEvents 1.0 structured JSON with a hash chain.

Rules
1. `hash` is sha256 over `prevhash` and the RFC 8785 form of everything else; it chains an aggregate.
2. `sequence` is the version within the aggregate, from 1; `prevhash` of version 1 is 64 zeros.
3. An answer to another event has the id `uuid5(cause, n)`: a repeated reaction makes the same ids.
4. Bodies hold no floats and only ASCII keys, so that orjson's sorted form is the RFC 8785 form.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from events.fact import Fact
from events.subjects import Address

SPECVERSION = "1.0"
NO_HASH = "0" * 64


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
        return replace(self, hash=digest(self))

    def encode(self) -> bytes:
        """Return readable JSON bytes."""
        return orjson.dumps({name: getattr(self, name) for name in FIELDS})

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


def digest(envelope: Envelope) -> str:
    """Return the hash that `envelope` should carry."""
    body = {name: getattr(envelope, name) for name in FIELDS if name not in ("hash", "prevhash")}
    form = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(envelope.prevhash.encode() + form).hexdigest()


def decode(body: bytes) -> Envelope:
    """Read an envelope; raise `Unreadable` for anything else. The hash is not checked here."""
    try:
        envelope = Envelope(**orjson.loads(body))
        _ = envelope.address, envelope.at
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError) as problem:
        raise Unreadable(f"no event envelope: {problem}") from problem
    if not isinstance(envelope.data, dict) or type(envelope.sequence) is not int:
        raise Unreadable("no event envelope: data is an object and sequence an integer")
    return envelope


@dataclass(frozen=True)
class Cause:
    """Why facts are appended: the event they answer, the chain it belongs to, and the actor."""

    actor: str
    source: str
    correlation: str
    event: str = ""
    traceparent: str = ""

    def answer_id(self, address: Address, version: int) -> str:
        """Return the id of the fact at `version` of `address`, the same at every repetition."""
        root = UUID(self.event) if self.event else UUID(self.correlation)
        return str(uuid5(root, f"{address.aggregate}/{address.id}/{version}/{address.fact}"))


def envelop(
    fact: Fact, address: Address, version: int, prevhash: str, cause: Cause, now: datetime
) -> Envelope:
    """Put a fact into a sealed envelope. `now` is timezone-aware."""
    kind = f"aps.{address.aggregate}.{fact.name}.v{fact.version}"
    return Envelope(
        id=cause.answer_id(address, version),
        source=cause.source,
        type=kind,
        subject=f"{address.aggregate}/{address.id}",
        time=now.astimezone(UTC).isoformat(timespec="microseconds"),
        dataschema=f"urn:{kind.replace('.', ':')}",
        data=fact.model_dump(mode="json"),
        actor=cause.actor,
        correlationid=cause.correlation,
        causationid=cause.event,
        sequence=version,
        prevhash=prevhash,
        traceparent=cause.traceparent,
    ).sealed()
