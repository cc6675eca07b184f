"""Finds what in a text tries to instruct its reader: reported, never taken out, as a person is to see it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.prompting.phrases import OVERRIDES, phrases
from services.prompting.readings import LOOK_ALIKE, PLAIN, Reading, line_and_column, line_starts, readings
from services.prompting.visible import one_line

MOST = 50
_QUOTED = 160
_AROUND = 20
HIDDEN = "hides text"
_HIDING = re.compile(
    "[\u202a-\u202e\u2066-\u2069]|[\U000e0001-\U000e007f]{4,}|[\u200b-\u200f\u2060-\u2064\ufeff]{6,}"
    "|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}"
)
# Read so, ordinary text gives chance words; only the plainest phrases are looked for.
_FAR_FETCHED = ("rot13", "backwards", LOOK_ALIKE)

_Spans = dict[tuple[str, int], list[tuple[int, int]]]


@dataclass(frozen=True)
class Suspicion:
    """Words that try to instruct: what `kind`, where (both from 1), how written, and as they stand there."""

    kind: str
    line: int
    column: int
    how: str
    quoted: str

    def __str__(self) -> str:
        """Say it in one line."""
        written = "" if self.how == PLAIN else f" (as {self.how})"
        return f"line {self.line}, column {self.column}: {self.kind}{written}: “{self.quoted}”"


def instructions_in(text: str) -> tuple[Suspicion, ...]:
    """Return what tries to instruct, in order of place; of very many the first ones."""
    starts = line_starts(text)
    found, taken = list[Suspicion](), _Spans()
    for kind, first, last, how, quoted in _places(text):
        line, column = line_and_column(text, starts, first)
        spans = taken.setdefault((kind, line), [])
        if len(spans) < MOST and all(last < begin or end < first for begin, end in spans):
            spans.append((first, last))
            found.append(Suspicion(kind, line, column, how, quoted))
    return tuple(sorted(found, key=lambda one: (one.line, one.column, one.kind))[:MOST])


def _places(text: str) -> Iterator[tuple[str, int, int, str, str]]:
    """What may be told, the plain reading first: the kind, first and last place, how written, the words."""
    for reading in readings(text):
        for kind, first, last, quoted in _phrases(reading, text):
            yield kind, first, last, reading.how, quoted
    for match in _HIDING.finditer(text):
        yield HIDDEN, match.start(), match.end() - 1, PLAIN, _quote(match[0])


def _phrases(reading: Reading, text: str) -> Iterator[tuple[str, int, int, str]]:
    """Each phrase of a reading: its kind, the first and last place in the text, the words."""
    table = phrases().kinds
    kinds = (OVERRIDES,) if reading.how.endswith(_FAR_FETCHED) else table
    for kind in kinds:
        for pattern in table[kind]:
            for match in pattern.finditer(reading.text):
                yield kind, *_quoted(reading, text, match)


def _quoted(reading: Reading, text: str, match: re.Match[str]) -> tuple[int, int, str]:
    """Where a match stands in the text, and its words: those of the text, or what they decode to."""
    first, last = sorted((reading.place(match.start()), reading.place(match.end() - 1)))
    if first == last:
        return first, last, _quote(reading.text[max(0, match.start() - _AROUND) : match.end() + _AROUND])
    return first, last, _quote(text[first : last + 1])


def _quote(words: str) -> str:
    return one_line(" ".join(words.split(" ")), _QUOTED)
