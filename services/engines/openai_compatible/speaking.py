"""Tells a text as progress while it comes: in lines, none of which ends within what may be the key."""

from services.engines.line import one_line
from services.engines.port import Progress, Tell
from services.engines.transcript import Hidden

_ENOUGH = 80  # characters before a line is told


class Speaking:
    """Gathers pieces of text into lines of progress."""

    def __init__(self, tell: Tell, hidden: Hidden) -> None:
        self._tell = tell
        self._hidden = hidden
        self._held = ""

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._held += text
        if len(self._held) < _ENOUGH + self._hidden.longest:
            return
        shown = self._hidden.text(self._held)
        cut = max(
            len(shown) - self._hidden.longest, 0
        )  # the key's beginning may stand behind it, its middle cannot
        self._say(shown[:cut])
        self._held = shown[cut:]

    def end(self) -> None:
        """Tell what is left."""
        self._say(self._hidden.text(self._held))
        self._held = ""

    def _say(self, text: str) -> None:
        if line := one_line(text, 200):
            self._tell(Progress("text", line))
