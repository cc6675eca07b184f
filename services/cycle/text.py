"""Makes text of the target safe to show: nothing in it moves a cursor, hides, or reorders its neighbours."""

import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi and zero-width marks, lone surrogates
SPACES = frozenset("\t\n\r\v\f")


def plain_text(text: str) -> str:
    """Return `text` on one line, with spaces for line ends and tabs and escapes for what cannot be seen."""
    return " ".join("".join(" " if c in SPACES else _shown(c) for c in text).split())


def plain_block(text: str) -> str:
    """Return `text` with its lines and indentation, and escapes for what cannot be seen."""
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join("".join(map(_shown, line)) for line in lines)


def shortened(text: str, length: int) -> str:
    """Return `text` on one line of at most `length` characters, with an ellipsis where some are left out."""
    line = plain_text(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _shown(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
