"""What strangers say, on one bounded line."""

import unicodedata


def one_line(text: str, limit: int = 300) -> str:
    """Put `text` on one line of at most `limit` characters; control and direction marks become blanks."""
    seen = text[: 4 * limit]
    plain = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in seen)
    line = " ".join(plain.split())
    cut = len(line) > limit or len(text) > len(seen)
    return f"{line[: limit - 1]}…" if cut else line
