"""Tells a person, once, that the log takes nothing for a while, and once that it does again."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 3.0  # a server that is started again, or a new leader, takes no longer


class Away:
    """What all services of a process found of late; `tell` is given a sentence."""

    def __init__(
        self, tell: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know of no trouble yet; without `tell` nothing is told."""
        self._tell = tell or (lambda _: None)
        self._clock = clock
        self._since: float | None = None
        self._told = False

    def failed(self, problem: Exception) -> None:
        """Note that the log was away; told when it has been for long."""
        present = self._clock()
        self._since = present if self._since is None else self._since
        if not self._told and present - self._since >= PATIENCE_SECONDS:
            self._told = True
            self._tell(f"the log is away ({problem}); trying again until it is back")

    def worked(self) -> None:
        """Note that the log was written or read."""
        if self._told:
            self._tell("the log is back; going on")
        self._since, self._told = None, False
