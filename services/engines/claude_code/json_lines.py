"""Lines of a stream that arrives in pieces, each of any length up to a bound."""

from collections.abc import Iterator


class Lines:
    """Parts a stream into lines. What is longer than `longest` bytes is left out, and `overlong` says so."""

    def __init__(self, longest: int) -> None:
        self.overlong = False
        self._longest = longest
        self._pending: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> Iterator[bytes]:
        """Yield the lines that `piece` completes, without their ends."""
        *complete, rest = piece.split(b"\n")
        for part in complete:
            self._keep(part)
            yield from self.end()
        self._keep(rest)

    def end(self) -> Iterator[bytes]:
        """Yield what stands after the last end of line, or up to this one."""
        line = b"".join(self._pending)
        if self._size <= self._longest and line.strip():
            yield line
        self._pending, self._size = [], 0

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._longest:
            self.overlong = True
            self._pending = []
        else:
            self._pending.append(part)
