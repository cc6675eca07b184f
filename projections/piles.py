"""Sorting a stretch of the log by aggregate, on disk: piles that can each be folded alone, in little memory.

Rules
1. All events of an aggregate lie in one pile, in their order.
2. The file has no name: whatever ends this process, nothing is left of it.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from events.stream_reader import Stored

if TYPE_CHECKING:
    from pathlib import Path

EVENTS_OF_A_PILE = 2000
MOST_PILES = 4096
BUFFERED_BYTES = 8 * 1024 * 1024  # for all piles together
HEAD = struct.Struct("<QHI")

Extents = Sequence[tuple[int, int]]  # offsets and sizes


class Piles:
    """The piles of about `events` events. Close it when they are folded."""

    def __init__(self, events: int, folder: Path | None = None) -> None:
        """`folder` is where the file lies, by default the system's folder for such."""
        count = self.count = min(MOST_PILES, events // EVENTS_OF_A_PILE + 1)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 -- `close` closes it
        self._end = 0
        self._open = [bytearray() for _ in range(count)]
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._most = BUFFERED_BYTES // count

    @property
    def descriptor(self) -> int:
        """The file's, for other processes to read from."""
        return self._file.fileno()

    def add(self, stored: Stored) -> None:
        """Put a message on the pile of its aggregate."""
        seq, subject, body, *_ = stored
        number = hash(subject[: subject.rindex(".")]) % len(self._open)
        pile = self._open[number]
        where = subject.encode()
        pile += HEAD.pack(seq, len(where), len(body))
        pile += where
        pile += body
        if len(pile) > self._most:
            self._flush(number)

    def finish(self) -> list[Extents]:
        """Return where each pile lies, once all is added; empty ones are left out."""
        for number in range(len(self._open)):
            self._flush(number)
        return [extents for extents in self._extents if extents]

    def close(self) -> None:
        """Give the file up."""
        self._file.close()

    def _flush(self, number: int) -> None:
        pile = self._open[number]
        if pile:
            self._open[number] = bytearray()
            self._extents[number].append((self._end, len(pile)))
            self._end += len(pile)
            _write(self.descriptor, pile)


def _write(descriptor: int, content: bytearray) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def messages(descriptor: int, extents: Extents) -> Iterator[Stored]:
    """Yield the messages of a pile."""
    for offset, size in extents:
        content = os.pread(descriptor, size, offset)
        at = 0
        while at < size:
            seq, where, length = HEAD.unpack_from(content, at)
            at += HEAD.size
            body = at + where
            yield Stored(seq, content[at:body].decode(), content[body : body + length])
            at = body + length
