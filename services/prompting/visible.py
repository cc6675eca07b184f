r"""Shows what a text hides: control, direction and zero-width characters are written as `\u{…}`.

Rules
1. New lines and tabs stay; CR LF is one new line, a CR by itself is shown.
2. Every character that leaves no mark of its own is shown, so also tags, fillers and variation selectors.
3. A variation selector stays after a symbol, where it only chooses how that is drawn.
"""

import re
import unicodedata
from functools import lru_cache

_KEPT = frozenset("\n\t")
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and blanks by category that nevertheless show nothing.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\u00a0\u202f")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SYMBOLS = frozenset({"So", "Sm", "Sk"})
_PLAIN = re.compile(r"[\n\t -~]*")


def visible(text: str) -> str:
    """Return the text with everything shown that would not be seen."""
    text = text.replace("\r\n", "\n")
    if _PLAIN.fullmatch(text):
        return text
    before = ["", *text]
    return "".join(map(_shown, text, before))


def one_line(text: str, most: int) -> str:
    """Return the text as one line of at most `most` characters, everything shown, cut with an ellipsis."""
    line = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= most else line[: most - 1] + "…"


def is_hidden(character: str) -> bool:
    """Whether a character leaves no mark of its own."""
    return character not in _KEPT and _is_invisible(character)


def _shown(character: str, before: str) -> str:
    if character in _KEPT or not _is_invisible(character):
        return character
    if _SELECTORS.match(character) and before and unicodedata.category(before) in _SYMBOLS:
        return character
    return f"\\u{{{ord(character):04X}}}"


@lru_cache(4096)
def _is_invisible(character: str) -> bool:
    return (
        character in _FILLERS
        or bool(_SELECTORS.match(character))
        or unicodedata.category(character) in _INVISIBLE_CATEGORIES
    )
