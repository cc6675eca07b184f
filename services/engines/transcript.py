"""What an engine said, as JSON lines: bounded, its middle left out first, without the credential."""

from collections import deque

import orjson

from services.masking.mask import MARK
from services.masking.needles import needles

TRANSCRIPT_BYTES = 1_000_000
LONGEST_LINE = 100_000


class Hidden:
    """Hides one known secret, in every form it may stand in. An empty one hides nothing.

    Raises ValueError for a secret too short to be told from ordinary text.
    """

    def __init__(self, secret: str) -> None:
        self._forms = tuple(form.encode("utf-8", "surrogatepass") for form in needles([secret]))
        self.longest = max(map(len, self._forms), default=0)

    def bytes(self, content: bytes) -> bytes:
        """Return the content without the secret."""
        for form in self._forms:
            if form in content:
                content = content.replace(form, MARK.encode())
        return content

    def text(self, text: str) -> str:
        """Return the text without the secret."""
        return self.bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


class Transcript:
    """Keeps the first lines up to half of the limit, and the last ones."""

    def __init__(self, limit: int = TRANSCRIPT_BYTES) -> None:
        self._half = limit // 2
        self._head: list[bytes] = []
        self._tail: deque[bytes] = deque()
        self._sizes = [0, 0]
        self._left_out = 0

    def add(self, line: bytes) -> None:
        """Add a line; of one that is too long, its length and its beginning are kept."""
        kept = (line if len(line) <= LONGEST_LINE else _shortened(line)) + b"\n"
        if not self._tail and self._sizes[0] + len(kept) <= self._half:
            self._head.append(kept)
            self._sizes[0] += len(kept)
            return
        self._tail.append(kept)
        self._sizes[1] += len(kept)
        while self._sizes[1] > self._half:
            self._sizes[1] -= len(self._tail.popleft())
            self._left_out += 1

    def contents(self) -> bytes:
        """Return all lines kept, and in the place of the others how many there were."""
        gap = [orjson.dumps({"lines_left_out": self._left_out}) + b"\n"] if self._left_out else []
        return b"".join([*self._head, *gap, *self._tail])


def _shortened(line: bytes) -> bytes:
    return orjson.dumps({"bytes": len(line), "begins": line[:1000].decode("utf-8", "replace")})
