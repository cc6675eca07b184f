"""Messages of the log that are no events: what every reader makes of them, so that they are kept and told.

Who may publish on a subject of the log may publish any bytes there. They are on the log for ever, count in
the chain over it, and are no version of the aggregate that their subject names: it goes on.

Rules
1. The envelope that stands in for such a message follows from its sequence, subject and bytes alone. It is
   never on the stream: a message there that says it is one is unreadable itself.
2. It holds subject and bytes whole: the message can be put back from it.
3. Its hash covers both, after words that no event's hash begins with. It has no version, links to nothing
   and tells no time.
4. A subject that names no aggregate has a place of its own, `/` and its quoted front; no event stands there.
"""

import base64
import hashlib
from typing import NamedTuple
from urllib.parse import quote, unquote

import orjson

from events.envelope import NO_ENVELOPE, NO_EVENT, NO_HASH, Envelope, Unreadable, decode
from events.subjects import PREFIX, Address, parse, place

DOMAIN = b"aps message that is no event 1\n"
NO_TIME = "1970-01-01T00:00:00+00:00"


class Message(NamedTuple):
    """What stands on the stream."""

    subject: str
    body: bytes


def stand_in(seq: int, subject: str, body: bytes) -> Envelope:
    """Return the envelope for a message that `decode` does not read."""
    at = address_of(subject)
    return Envelope(
        id=f"unreadable-{seq}",
        source="",
        type=f"aps.{at.aggregate}.{at.fact}{NO_EVENT}",
        subject=f"{at.aggregate}/{at.id}",
        time=NO_TIME,
        dataschema="",
        data={"subject": subject, "base64": base64.b64encode(body).decode()},
        actor="",
        correlationid="",
        causationid="",
        sequence=0,
        prevhash=NO_HASH,
        hash=hashlib.sha256(DOMAIN + subject.encode() + b"\n" + body).hexdigest(),
    )


def is_unreadable(envelope: Envelope) -> bool:
    """Whether the envelope stands in for a message that is no event."""
    return not envelope.sequence and envelope.type.endswith(NO_EVENT)


def complaint(envelope: Envelope) -> str:
    """Return why the message that an envelope stands in for is no event."""
    try:
        decode(base64.b64decode(envelope.data["base64"]))
    except Unreadable as problem:
        return str(problem)
    return NO_ENVELOPE


def message_of(envelope: Envelope) -> Message:
    """Return the message of the stream that holds an event, or that an envelope stands in for."""
    if is_unreadable(envelope):
        return Message(envelope.data["subject"], base64.b64decode(envelope.data["base64"]))
    return Message(place(envelope.subject, envelope.type.split(".")[2]), envelope.encode())


def message_in(line: bytes) -> Message:
    """Return the message in a stand-in's JSON; raise `Unreadable` for what is none."""
    try:
        data = orjson.loads(line)["data"]
        return Message(str(data["subject"]), base64.b64decode(data["base64"], validate=True))
    except (KeyError, TypeError, ValueError) as problem:
        raise Unreadable(f"it stands in for no message: {problem!r}") from problem


def address_of(subject: str) -> Address:
    """Return what a subject of the stream names; rule 4 for one that names no aggregate."""
    try:
        return parse(subject)
    except ValueError:
        front, _, last = subject.removeprefix(f"{PREFIX}.").rpartition(".")
        return Address("", quote(front, safe=""), quote(last, safe=""))


def subject_at(aggregate_and_id: str, fact: str) -> str:
    """Return the subject that `address_of` was given, or that an event has."""
    if not aggregate_and_id.startswith("/"):
        return place(aggregate_and_id, fact)
    front, last = unquote(aggregate_and_id[1:]), unquote(fact)
    return f"{PREFIX}.{front}.{last}" if front else f"{PREFIX}.{last}"
