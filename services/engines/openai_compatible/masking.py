"""What strangers say, made fit to be shown: one line, bounded, without the key."""

import unicodedata

import orjson

_SECRET_FROM = 8  # characters; a shorter key ("none", "x") keeps nothing secret, and is a word of its own
_HIDDEN = "(key hidden)"


def one_line(text: str, limit: int = 300) -> str:
    """Put a text on one line of at most `limit` characters; control and direction marks become blanks."""
    seen = text[: 4 * limit]
    plain = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in seen)
    line = " ".join(plain.split())
    cut = len(line) > limit or len(text) > len(seen)
    return f"{line[: limit - 1]}…" if cut else line


class Mask:
    """Hides one key wherever it is repeated, plainly or inside JSON."""

    def __init__(self, key: str) -> None:
        inside_json = orjson.dumps(key).decode()[1:-1]
        self._shapes = tuple({key, inside_json}) if len(key) >= _SECRET_FROM else ()
        self.longest = max(map(len, self._shapes), default=0)

    def text(self, text: str) -> str:
        """Return the text without the key."""
        for shape in self._shapes:
            text = text.replace(shape, _HIDDEN)
        return text

    def line(self, text: str, limit: int = 300) -> str:
        """Return one bounded line of the text without the key."""
        return one_line(self.text(text), limit)
