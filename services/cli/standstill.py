"""Tells a person who waits for work that everything is paused, and that it goes on again."""

from collections.abc import Callable

from services.cli.session import say
from services.runtime.claims import why_paused
from services.runtime.log import Log

GOES_ON = "everything goes on"


class Standstill:
    """Says a line when a pause begins, and one when it is over."""

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._told = ""

    async def look(self, book: Log) -> None:
        """Look whether everything is paused now, and say so if that is news."""
        paused = await why_paused(book)
        if paused != self._told:
            self._told = paused
            self._tell(paused or GOES_ON)
