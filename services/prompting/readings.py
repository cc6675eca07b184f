"""The ways in which a text can be read: as it is, and decoded where it seems to hold encoded words.

Rules
1. A reading knows for each of its characters the place in the text that it came from.
2. What is decoded is looked at again, for what was encoded twice.
3. Words are joined over what programs put between them: the number, place or sign before a line that they
   show, and a new line as JSON and reprs write it.
"""

import base64
import binascii
import codecs
import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from services.prompting.phrases import folded, phrases

PLAIN = "plain"
LOOK_ALIKE = "look-alike letters"
_DEPTH = 2
_MOST = 40_000  # of one encoded run: an instruction is shorter, a picture longer
_BASE64 = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{20,}={0,2}")
_BASE64_LINES = re.compile(r"(?m)(?:^[^\w\n+/]{0,12}[A-Za-z0-9+/_-]{16,}={0,2}[^\w\n+/]{0,6}$\n?){2,}")
_BASE64_NAME = re.compile(r"(?<![\w+-])[A-Za-z0-9+_-]{20,}={0,2}")  # a slash parts folders
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/_-]")
_HEX = re.compile(r"(?i)(?<![0-9a-f])(?:(?:0x|\\x)?[0-9a-f]{2}[ ,:]{0,2}){12,}")
_SPACED = re.compile(r"(?<!\w)(?:[^\W_][ .\-_*|]{1,3}){8,}[^\W_](?!\w)")
_ESCAPE = re.compile(r"\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}")
_ENCODED_LINE = re.compile(r"(?:%[0-9a-fA-F]{2}|&#?\w{2,8};|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}).*" * 2)
_ESCAPED = re.compile(
    r"(?:%[0-9a-f]{2})+|&#?\w{2,8};|\\x[0-9a-f]{2}|(?:\\u[0-9a-f]{4})+|\\u\{[0-9a-f]{1,6}\}|\\{1,8}[nrtvf]"
)
_SEAM = re.compile(
    r"\n[ \t]*(?:\d{1,7}(?:→|\t|[:|])|e {3,}|[\w./+-]{1,200}[:-]\d{1,7}[:-])[\W_]*"
    r"|[\W_]{13,}"  # wider than the gap that patterns allow
)
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_SELECTED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")


@dataclass(frozen=True)
class Reading:
    """A text as it can be read: folded for comparing, with the place each character came from.

    `places` is empty where the two have the same places.
    """

    how: str
    text: str
    places: Sequence[int] = ()

    def place(self, at: int) -> int:
        """Return where in the text a character of the reading stands."""
        if not self.places:
            return at
        return self.places[min(at, len(self.places) - 1)]


def readings(text: str) -> Iterator[Reading]:
    """Return every way to read a text, the plain one first."""
    plain = _plain(text)
    yield plain
    yield from _looking_alike(plain)
    written = _replaced(plain, "escapes", _ESCAPED, _written)
    joined = _replaced(written, "joined lines", _SEAM, lambda seam: "\n" if "\n" in seam else " ")
    if joined is not plain:
        yield joined
    if written is not plain:
        yield from _looking_alike(written, f"escapes, {LOOK_ALIKE}")
    yield Reading("rot13", codecs.decode(plain.text, "rot13"), plain.places)
    backwards = range(len(plain.text) - 1, -1, -1)
    yield Reading("backwards", plain.text[::-1], plain.places[::-1] if plain.places else backwards)
    yield from _decoded(text, _DEPTH)


def _plain(text: str, how: str = PLAIN) -> Reading:
    if text.isascii():
        return Reading(how, text.lower())
    parts = [folded(one) for one in text]
    places = [at for at, part in enumerate(parts) for _ in part]
    return Reading(how, "".join(parts), places or [0])


def _looking_alike(one: Reading, how: str = LOOK_ALIKE) -> Iterator[Reading]:
    table = phrases()
    if table.look_alike.search(one.text):
        yield Reading(how, one.text.translate(table.lookalikes), one.places)


def _replaced(one: Reading, how: str, shape: re.Pattern[str], by: Callable[[str], str]) -> Reading:
    """The reading with each match of a shape replaced; itself where there is none."""
    parts, places, end = list[str](), list[int](), 0
    for match in shape.finditer(one.text):
        said = by(match[0])
        parts += (one.text[end : match.start()], said)
        places += (*range(end, match.start()), *([match.start()] * len(said)))
        end = match.end()
    if not end:
        return one
    places += range(end, len(one.text))
    return Reading(how, "".join((*parts, one.text[end:])), [one.place(at) for at in places])


def _written(escape: str) -> str:
    """What an escape stands for, folded; a new line is a blank."""
    if len(escape.strip("\\")) == 1:
        return " "
    return "".join(folded(one) for one in _line(escape))


def _decoded(text: str, depth: int) -> Iterator[Reading]:
    for how, start, found in _runs(text):
        one = _at(start, how, found)
        yield one
        yield from _looking_alike(one, f"{how}, {LOOK_ALIKE}")
        if depth > 1:
            yield from (_at(start, f"{how}, {one.how}", one.text) for one in _decoded(found, depth - 1))


def _at(start: int, how: str, found: str) -> Reading:
    return Reading(how, _plain(found).text, [start])


def _runs(text: str) -> Iterator[tuple[str, int, str]]:
    """Each encoded run of a text: how, where it begins, what it says."""
    for how, shape, decode in _CODECS:
        for match in shape.finditer(text):
            found = decode(match[0][:_MOST])
            if found:
                yield how, match.start(), found


def _base64(run: str) -> str:
    kept = _NOT_BASE64.sub("", run).replace("-", "+").replace("_", "/")
    try:
        return _text(base64.b64decode(kept[: len(kept) // 4 * 4] + _rest(kept)))
    except binascii.Error:
        return ""


def _rest(kept: str) -> str:
    """The last, incomplete group, padded."""
    over = len(kept) % 4
    return kept[-over:] + "=" * (4 - over) if over > 1 else ""


def _hex(run: str) -> str:
    digits = re.sub(r"(?i)0x|\\x|[^0-9a-f]", "", run)
    return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _spaced(run: str) -> str:
    return "".join(one for one in run if one.isalnum())


def _line(line: str) -> str:
    return unquote(html.unescape(_ESCAPE.sub(_unescaped, line)))


def _unescaped(match: re.Match[str]) -> str:
    return chr(min(int(match[0].strip("\\xu{}"), 16), 0x10FFFF))


def _tags(run: str) -> str:
    return "".join(chr(ord(one) - 0xE0000) for one in run)


def _selectors(run: str) -> str:
    """Each selector stands for a byte: the first sixteen in one block, the rest in another."""
    codes = map(ord, run)
    return _text(bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in codes))


def _text(content: bytes) -> str:
    """The bytes as text, where they are mostly that."""
    try:
        found = content.decode("utf-8")
    except UnicodeDecodeError as error:
        found = content[: error.start].decode("utf-8")
    readable = sum(one.isprintable() or one.isspace() for one in found)
    return found if readable > 10 and readable >= 0.9 * len(found) and len(found) > len(content) // 4 else ""


_CODECS: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
    ("base64", _BASE64, _base64),
    ("base64", _BASE64_NAME, _base64),
    ("base64", _BASE64_LINES, _base64),
    ("hexadecimal", _HEX, _hex),
    ("escapes", _ENCODED_LINE, _line),
    ("spaced letters", _SPACED, _spaced),
    ("invisible tags", _TAGS, _tags),
    ("variation selectors", _SELECTED, _selectors),
)


def line_and_column(text: str, starts: Sequence[int], at: int) -> tuple[int, int]:
    """Return line and column of a place, both from 1; `starts` are the places where lines begin."""
    line = bisect_right(starts, at)
    return line, at - starts[line - 1] + 1


def line_starts(text: str) -> list[int]:
    """Return the places where lines begin."""
    return [0, *(match.end() for match in re.finditer("\n", text))]
