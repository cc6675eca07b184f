"""What a backup holds besides the log: artefacts, dead letters, settings, and keys where they were asked for.

Rules
1. A chunk of an artefact stands in a line of its own; the chunks of one artefact come in their order.
2. A message of another stream (dead letters, wrapped keys) keeps its number, subject, headers and body.
3. Keys are there only where a person asked for them: files of the folder of keys, wrapped keys.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from events.envelope import Unreadable
from events.evidence.export import NOT_ITS, Other
from events.evidence.verify import Fault
from events.subjects import ARTEFACTS, artefact_chunk
from events.trouble import in_words

ARTEFACT, MESSAGE, SETTING, KEY = "artefact", "message", "setting", "key"
KINDS = (ARTEFACT, MESSAGE, SETTING, KEY)


@dataclass(frozen=True)
class Chunk:
    """The `index`th of `count` chunks of the artefact with that sha256."""

    sha256: str
    count: int
    index: int
    body: bytes

    @property
    def subject(self) -> str:
        """Where it stands in its stream."""
        return artefact_chunk(self.sha256, str(self.count), self.index)

    def line(self) -> Other:
        """Return it as a line of a backup."""
        place = {"sha256": self.sha256, "count": self.count, "index": self.index}
        return Other(ARTEFACT, {**place, "base64": base64.b64encode(self.body).decode()})


@dataclass(frozen=True)
class Message:
    """A message of a stream beside the log."""

    stream: str
    number: int
    subject: str
    headers: Mapping[str, str]
    body: bytes

    def line(self) -> Other:
        """Return it as a line of a backup."""
        place = {"stream": self.stream, "number": self.number, "subject": self.subject}
        content = base64.b64encode(self.body).decode()
        return Other(MESSAGE, {**place, "headers": dict(self.headers), "base64": content})


@dataclass(frozen=True)
class Setting:
    """A setting that was in effect, by its name outside."""

    name: str
    value: str

    def line(self) -> Other:
        """Return it as a line of a backup."""
        return Other(SETTING, {"name": self.name, "value": self.value})


@dataclass(frozen=True)
class KeyFile:
    """A file of the folder of keys."""

    name: str
    content: bytes

    def line(self) -> Other:
        """Return it as a line of a backup."""
        return Other(KEY, {"name": self.name, "base64": base64.b64encode(self.content).decode()})


Part = Chunk | Message | Setting | KeyFile


def part(line: Other) -> Part:
    """Read what a line holds. Raises `Unreadable`."""
    try:
        return _part(line.kind, line.fields)
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as problem:
        raise Unreadable(f"no line of a backup: {in_words(problem, NOT_ITS)}") from problem


def _part(kind: str, fields: Mapping[str, Any]) -> Part:
    match kind:
        case "artefact":
            body = base64.b64decode(fields["base64"], validate=True)
            return Chunk(str(fields["sha256"]), int(fields["count"]), int(fields["index"]), body)
        case "message":
            body = base64.b64decode(fields["base64"], validate=True)
            headers = {str(name): str(value) for name, value in fields["headers"].items()}
            place = str(fields["stream"]), int(fields["number"]), str(fields["subject"])
            return Message(*place, headers, body)
        case "setting":
            return Setting(str(fields["name"]), str(fields["value"]))
        case "key":
            return KeyFile(str(fields["name"]), base64.b64decode(fields["base64"], validate=True))
        case _:
            raise Unreadable(f"no line of a backup: {kind!r} is none of {', '.join(KINDS)}")


def chunk_at(subject: str, body: bytes) -> Chunk:
    """Read a message of the stream of artefacts. Raises `Unreadable`."""
    front, _, rest = subject.partition(f"{ARTEFACTS}.")
    parts = rest.split(".")
    if front or len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise Unreadable(f"{subject!r} is no chunk of an artefact")
    return Chunk(parts[0], int(parts[1]), int(parts[2]), body)


@dataclass
class ArtefactProof:
    """Puts the chunks of artefacts together and holds each to its name; `whole` are the names seen."""

    messages: int = 0
    whole: set[str] = field(default_factory=set)
    _open: dict[str, "_Joined"] = field(default_factory=dict)

    def see(self, line: Other, where: str) -> Iterator[Fault]:
        """Yield what is wrong with a line of a backup."""
        try:
            found = part(line)
        except Unreadable as problem:
            yield Fault(0, where, str(problem))
            return
        self.messages += isinstance(found, Message)
        if isinstance(found, Chunk):
            yield from self._chunk(found, where)

    def end(self) -> Iterator[Fault]:
        """Yield the artefacts that are not whole."""
        for sha256, joined in self._open.items():
            yield Fault(
                0, f"artefact {sha256}", f"is not whole: it has {joined.chunks} of {joined.count} chunks"
            )

    def _chunk(self, chunk: Chunk, where: str) -> Iterator[Fault]:
        joined = self._open.setdefault(chunk.sha256, _Joined(chunk.count))
        if (chunk.index, chunk.count) != (joined.chunks, joined.count):
            yield Fault(
                0, where, f"chunk {chunk.index} of {chunk.sha256} stands where chunk {joined.chunks} belongs"
            )
        joined.add(chunk.body)
        if joined.chunks >= joined.count:
            self.whole.add(chunk.sha256)
            if self._open.pop(chunk.sha256).digest() != chunk.sha256:
                yield Fault(0, f"artefact {chunk.sha256}", "does not fit its name")


class _Joined:
    """The chunks of an artefact so far."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.chunks = 0
        self._content = hashlib.sha256()

    def add(self, body: bytes) -> None:
        self.chunks += 1
        self._content.update(body)

    def digest(self) -> str:
        return self._content.hexdigest()
