"""Hides secrets in prompts, transcripts, log lines and artefacts: known values, and what looks like one.

Rules
1. No known value is left, in none of the forms of `needles`.
2. Hiding twice is hiding once: the mark is shorter than all that it stands for, matches no shape, and none
   of its characters stands in a known value, so that nothing can grow together around it.
3. Of two that overlap nothing is left.
4. Text that comes in pieces is held back as long as a secret may still be coming.

Text is to be cut to a length after this, never before: half a secret has no form that could be found.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from services.masking.needles import SHORTEST, needles
from services.masking.shapes import secrets_in

MARK = "[***]"
assert len(MARK) < SHORTEST  # noqa: S101 -- rule 2, or hiding might not end
_OTHER_MARKS = range(0x2580, 0x2600)  # blocks and geometric shapes, of which no shape of a secret knows
_OPEN_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?![\s\S]*-----END )")
_LONGEST_LINE = 64 * 1024
_LONGEST_KEY = 20_000
_TAIL = 4096  # of a line without end: no token of the table is longer


class Mask:
    """Hides `values` and whatever looks like a secret.

    Raises ValueError for a value that is too short to be hidden.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms = needles(values)
        self._mark = _mark(self._forms)
        self.longest = max(map(len, self._forms), default=0)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        while spans := self.spans(text):
            text = _replaced(text, spans, self._mark)
        return text

    def content(self, content: bytes) -> bytes:
        """Return bytes without secrets; what is no UTF-8 stays as it is."""
        return self(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def pieces(self) -> "Pieces":
        """Begin a text that comes in pieces."""
        return Pieces(self)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return from where to where there are secrets, in order and apart."""
        return _merged([*self._exact(text), *((one.start, one.end) for one in secrets_in(text))])

    def _exact(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                yield at, at + len(form)
                at = text.find(form, at + 1)


class Pieces:
    """A text that comes in pieces. What `add` and `end` return, joined, holds no secret."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = ""

    def add(self, piece: str) -> str:
        """Take a piece and return what can be shown by now."""
        text = self._held + piece
        cut = self._safe(text)
        if cut <= 0:
            self._held = text
            return ""
        cut = next((start for start, end in self._mask.spans(text) if start < cut < end), cut)
        self._held = text[cut:]
        return self._mask(text[:cut])

    def end(self) -> str:
        """Return the rest."""
        shown, self._held = self._mask(self._held), ""
        return shown

    def _safe(self, text: str) -> int:
        """Before which place all that begins has also ended, or is not going to be recognised."""
        line = text.rfind("\n") + 1
        if len(text) - line > _LONGEST_LINE:
            line = len(text) - _TAIL
        key = _OPEN_KEY.search(text, max(0, len(text) - _LONGEST_KEY))
        return min(line, len(text) - self._mask.longest, key.start() if key else line)


def masked(text: str, values: Iterable[str] = ()) -> str:
    """Return a text without `values` and without what looks like a secret."""
    return _mask_of(tuple(values))(text)


@lru_cache(16)
def _mask_of(values: tuple[str, ...]) -> Mask:
    return Mask(values)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _replaced(text: str, spans: list[tuple[int, int]], mark: str) -> str:
    kept = [text[end:start] for (_, end), (start, _) in zip([(0, 0), *spans], spans, strict=False)]
    return mark.join([*kept, text[spans[-1][1] :]])


def _mark(forms: Iterable[str]) -> str:
    """Choose a mark of characters that no form has."""
    used = set().union(*forms)
    marks = (MARK, *(chr(one) * len(MARK) for one in _OTHER_MARKS))
    for mark in marks:
        if used.isdisjoint(mark):
            return mark
    raise ValueError("the secrets leave no character to hide them behind")
