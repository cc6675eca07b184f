"""What was said in one task, as JSON lines: bounded, its middle left out first, without the key."""

from collections import deque
from collections.abc import Mapping

import orjson
from pydantic import JsonValue

from services.engines.openai_compatible.masking import Mask

TRANSCRIPT_BYTES = 1_000_000


class Transcript:
    """Keeps the first lines up to half of the limit, and the last ones."""

    def __init__(self, mask: Mask, limit: int = TRANSCRIPT_BYTES) -> None:
        self._mask = mask
        self._half = limit // 2
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self._sizes = [0, 0]
        self._left_out = 0

    def add(self, line: Mapping[str, JsonValue]) -> None:
        """Add a line; one that is too long by itself is only counted."""
        written = self._mask.text(orjson.dumps(line).decode()).encode() + b"\n"
        if not self._tail and self._sizes[0] + len(written) <= self._half:
            self._head.append(written)
            self._sizes[0] += len(written)
            return
        self._tail.append(written)
        self._sizes[1] += len(written)
        while self._sizes[1] > self._half:
            self._sizes[1] -= len(self._tail.popleft())
            self._left_out += 1

    def contents(self) -> bytes:
        """Return all lines kept, and in the place of the others how many there were."""
        gap = [orjson.dumps({"lines_left_out": self._left_out}) + b"\n"] if self._left_out else []
        return b"".join([*self._head, *gap, *self._tail])
