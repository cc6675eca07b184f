"""Applies chosen fixes of one file to its text, as ruff would, but only those that were chosen.

Rules:
1. A piece is a set of findings with the same edits; it is applied whole or not at all.
2. Pieces are taken in order of place; one that overlaps an earlier one waits for the next pass.
3. An edit equal to one already made (an import that two fixes need) is made once.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import accumulate

from services.engines.deterministic.ruff import Diagnostic
from services.engines.deterministic.source import Source

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Piece:
    """Edits as (start, end, replacement) in offsets, and the rows of the findings they remove."""

    spans: tuple[Span, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Pass:
    """The text before and after one pass, the pieces applied and the edits made, in order of place."""

    before: str
    text: str
    applied: tuple[Piece, ...]
    spans: tuple[Span, ...]

    def moved(self, offset: int) -> int:
        """Where the character at `offset` of the old text is now; within an edit, its line."""
        after = bisect.bisect_left(self._starts, offset)
        within = after if offset in self._starts[after : after + 1] else after - 1
        if within >= 0 and offset < self.spans[within][1]:
            start, end, content = self.spans[within]
            return start + self._shifts[within] + _likeness(self.before[start:end], content, offset - start)
        return offset + self._shifts[after]

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _, _ in self.spans]

    @cached_property
    def _shifts(self) -> list[int]:
        """By how much the text moves before each edit, and after all."""
        return [0, *accumulate(len(content) - (end - start) for start, end, content in self.spans)]


def _likeness(old: str, new: str, offset: int) -> int:
    """Find the line of `new` that answers to the line around `offset` of `old`; give where it begins."""
    row = old.count("\n", 0, offset)
    was, now = old.split("\n"), new.split("\n")
    if len(was) != len(now):
        row = _row_of(was, now, row)
    return sum(len(line) + 1 for line in now[:row])


def _row_of(was: list[str], now: list[str], row: int) -> int:
    """Match lines, not characters: edits of thousands of characters are common, and one row is wanted."""
    for _, start, end, begins, ends in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if start <= row < end:
            return min(begins + row - start, max(ends - 1, begins), len(now) - 1)
    return len(now) - 1


def pieces(source: Source, diagnostics: Sequence[Diagnostic]) -> tuple[Piece, ...]:
    """Group fixable diagnostics of one file by identical edits, in order of place."""
    grouped: dict[tuple[Span, ...], list[int]] = {}
    for said in diagnostics:
        if said.fixes is None or not said.fixes.edits:
            continue
        spans = tuple(
            (
                source.offset(edit.location.row, edit.location.column),
                source.offset(edit.end_location.row, edit.end_location.column),
                edit.content,
            )
            for edit in said.fixes.edits
        )
        grouped.setdefault(spans, []).append(said.location.row)
    return tuple(Piece(spans, tuple(rows)) for spans, rows in sorted(grouped.items()))


def apply_pieces(text: str, chosen: Sequence[Piece]) -> Pass:
    """Apply as many of `chosen` as do not overlap."""
    applied: list[Piece] = []
    spans: dict[Span, None] = {}
    reached = -1
    for piece in sorted(chosen, key=lambda p: p.spans):
        fresh = [span for span in sorted(piece.spans) if span not in spans]
        if fresh and fresh[0][0] <= reached:
            continue
        spans |= dict.fromkeys(fresh)
        reached = max((end for _, end, _ in fresh), default=reached)
        applied.append(piece)
    out, at = [], 0
    for start, end, content in spans:
        out += [text[at:start], content]
        at = end
    out.append(text[at:])
    return Pass(before=text, text="".join(out), applied=tuple(applied), spans=tuple(spans))
