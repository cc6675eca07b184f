"""Sorting a stretch of the log by aggregate, on disk: piles that can each be folded alone, in little memory.

Rules
1. All events of an aggregate lie in one pile, in their order.
2. The file has no name: whatever ends this process, nothing is left of it, and nobody else writes to it.
"""

from __future__ import annotations

import marshal
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from events.jetstream.stream_reader import Stored

if TYPE_CHECKING:
    from pathlib import Path

EVENTS_OF_A_PILE = 2000
MOST_PILES = 4096
BUFFERED_BYTES = 8 * 1024 * 1024  # for all piles together

Extents = Sequence[tuple[int, int]]  # offsets and sizes


class Piles:
    """The piles of about `events` events. Close it when they are folded."""

    def __init__(self, events: int, folder: Path | None = None) -> None:
        """`folder` is where the file lies, by default the system's folder for such."""
        count = self.count = min(MOST_PILES, events // EVENTS_OF_A_PILE + 1)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- `close` closes it
        self._end = 0
        self._open: list[list[tuple[int, str, bytes]]] = [[] for _ in range(count)]
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._buffered = 0

    @property
    def descriptor(self) -> int:
        """The file's, for other processes to read from."""
        return self._file.fileno()

    def add(self, stored: Stored) -> None:
        """Put a message on the pile of its aggregate."""
        seq, subject, body, _ = stored
        self._open[hash(subject[: subject.rindex(".")]) % self.count].append((seq, subject, body))
        self._buffered += len(body)
        if self._buffered > BUFFERED_BYTES:
            self._flush()

    def finish(self) -> list[Extents]:
        """Return where each pile lies, once all is added; empty ones are left out."""
        self._flush()
        return [extents for extents in self._extents if extents]

    def close(self) -> None:
        """Give the file up."""
        self._file.close()

    def _flush(self) -> None:
        written = []
        for pile, extents in zip(self._open, self._extents, strict=True):
            if pile:
                content = marshal.dumps(pile)
                written.append(content)
                extents.append((self._end, len(content)))
                self._end += len(content)
                pile.clear()
        _write(self.descriptor, b"".join(written))
        self._buffered = 0


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def messages(descriptor: int, extents: Extents) -> Iterator[Stored]:
    """Yield the messages of a pile."""
    for offset, size in extents:
        content = os.pread(descriptor, size, offset)
        for message in marshal.loads(content):  # noqa: S302 -- only `Piles` writes to the file, in this Python
            yield Stored(*message)
