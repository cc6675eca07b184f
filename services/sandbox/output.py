"""What is kept of a stream: its head and its tail, however much was written."""


class Kept:
    """Keeps at most `limit` bytes of a stream plus a marker saying how much was left out."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._seen = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; never holds more than 3/2 of the limit and one chunk."""
        self._seen += len(chunk)
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def overflowing(self) -> bool:
        """Say whether something has been left out already."""
        return self._seen > 2 * self._half

    def contents(self) -> bytes:
        """Return everything, or head, marker and tail."""
        if not self.overflowing:
            return bytes(self._head + self._tail)
        left_out = self._seen - 2 * self._half
        marker = b"\n... %d bytes left out ...\n" % left_out
        return bytes(self._head) + marker + bytes(self._tail[-self._half :])
