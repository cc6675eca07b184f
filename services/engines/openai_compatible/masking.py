"""Keeps the key out of what is shown and kept, where a server repeats it."""

import orjson

from services.engines.line import one_line

_SECRET_FROM = 8  # characters; a shorter key ("none", "x") keeps nothing secret, and is a word of its own
_HIDDEN = "(key hidden)"


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
