"""Reads server-sent events from bytes as they come (WHATWG HTML, 9.2.6), strictly and bounded.

Stricter than a browser: a line that is no field of an event is an error, so that a page or a message of a
proxy is never taken for silence.
"""

import re

from schemas.engine import FailureKind
from services.engines.line import one_line
from services.engines.openai_compatible.failing import Unanswered

_ENDS = re.compile(rb"\r\n|\r|\n")
_KNOWN = frozenset({"event", "id", "retry"})
_MARK = b"\xef\xbb\xbf"


class EventData:
    """Gives the data of each event once the blank line behind it has come."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line: list[bytes] = []
        self._data: list[str] = []
        self._held = 0
        self._after_return = False
        self._first = True

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes; return the events they complete. Raises `Unanswered`."""
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if not chunk:
            return []
        self._after_return = chunk.endswith(b"\r")
        *ended, rest = _ENDS.split(chunk)
        done = [data for piece in ended if (data := self._ended(piece)) is not None]
        self._hold(rest)
        return done

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._limit:
            raise Unanswered(FailureKind.TOO_LARGE, f"an event of the answer is over {self._limit} bytes")
        if piece:
            self._line.append(piece)

    def _ended(self, piece: bytes) -> str | None:
        """End a line; return the event's data where this was the blank line behind it."""
        self._hold(piece)
        line = b"".join(self._line)
        self._line.clear()
        if self._first:
            line, self._first = line.removeprefix(_MARK), False
        if line:
            self._field(_text(line))
            return None
        self._held = 0
        data, self._data = self._data, []
        return "\n".join(data) if data else None

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
        elif name and name not in _KNOWN:  # an empty name is a comment: a sign of life
            raise Unanswered(FailureKind.GARBLED, f"no event stream but: {one_line(line, 120)}")


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise Unanswered(FailureKind.GARBLED, "the stream is not UTF-8") from None
