"""Makes text of the target safe to show: nothing in it moves a cursor, hides, or reorders its neighbours."""

import unicodedata
from collections.abc import Sequence

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi and zero-width marks, lone surrogates
SPACES = frozenset("\t\n\r\v\f")


def plain_text(text: str) -> str:
    """Return `text` on one line, with spaces for line ends and tabs and escapes for what cannot be seen."""
    if text.isprintable():  # nothing of `HIDDEN` is; the usual case, and many times as quick
        return " ".join(text.split())
    return " ".join("".join(" " if c in SPACES else _shown(c) for c in text).split())


def plain_block(text: str) -> str:
    """Return `text` with its lines and indentation, and escapes for what cannot be seen."""
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_shown, line)) for line in lines)


def shortened(text: str, length: int) -> str:
    """Return `text` on one line of at most `length` characters, with an ellipsis where some are left out."""
    line = plain_text(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    shown = ", ".join(names[:most])
    return f"{shown} and {more} more" if more > 0 else shown


def is_plain(text: str) -> bool:
    """Whether every character of `text` shows as itself."""
    return not any(unicodedata.category(c) in HIDDEN for c in text)


def escaped(character: str) -> str:
    """Return the escape of a character, as Python and bash write it."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte that was no UTF-8, as the file system gave it
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _shown(character: str) -> str:
    return character if is_plain(character) else escaped(character)
