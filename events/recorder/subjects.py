"""Subjects of the streams that `eventsourcing` applications write, and back: one subject an event.

Because id and version are the subject, the server itself holds every version to one event.
"""

from functools import lru_cache
from urllib.parse import quote, unquote
from uuid import UUID

from events.subjects import token

PREFIX = "eventsourcing"
LONGEST = 2048  # the server reads a subject from one protocol line of 4,096 bytes


def everything(stream: str) -> str:
    """Return the wildcard over all subjects of one stream."""
    return f"{PREFIX}.{token(stream)}.>"


def events_of(stream: str, originator_id: UUID | str) -> str:
    """Return the wildcard over all events of one aggregate."""
    return f"{PREFIX}.{stream}.{originator(originator_id)}.*"


def event(stream: str, originator_id: UUID | str, version: int) -> str:
    """Return the subject of one event."""
    return f"{PREFIX}.{stream}.{originator(originator_id)}.{version}"


def read_event(subject: str) -> tuple[UUID | str, int]:
    """Return the aggregate's id and the version that `event` was given."""
    *_, id, version = subject.split(".")
    kind, _, text = id.partition("-")
    return UUID(text) if kind == "u" else unquote(text), int(version)


def tracked(stream: str, application: str) -> str:
    """Return the subject of how far an application's notifications were processed."""
    return f"{PREFIX}.{stream}.{originator(application)}"


def bell(stream: str) -> str:
    """Return the subject that is rung, outside the stream, after every insert."""
    return f"{PREFIX}-bell.{stream}"


@lru_cache(maxsize=4096)
def originator(id: UUID | str) -> str:
    """Return an id as one token that tells a UUID from text and can be read back."""
    if isinstance(id, UUID):
        return f"u-{id}"
    text = "s-" + quote(id, safe="").replace(".", "%2E")
    if len(text) > LONGEST:
        raise ValueError(f"an id of {len(text)} characters in a subject; {LONGEST} is the limit")
    return text
