"""Tells which tests are under way while nothing else is printed."""

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

QUIET_SECONDS = 30.0


class Progress:
    """Says after each quiet half minute which tests run, and for how long."""

    def __init__(
        self,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        self._say = say
        self._clock = clock
        self._quiet = quiet
        self._begun: dict[str, float] = {}
        self._ended = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def line(self) -> str:
        """Return what is under way, longest first; nothing when nothing is."""
        begun, now = dict(self._begun), self._clock()
        running = sorted(begun.items(), key=lambda one: one[1])
        if not running:
            return ""
        names = ", ".join(f"{name.rpartition('/')[2]} ({now - since:.0f} s)" for name, since in running)
        return f"{self._ended} tests have ended; under way: {names}"

    def _watch(self) -> None:
        told = -1
        while not self._over.wait(self._quiet):
            line = self.line()
            if line and told == self._ended:
                self._say(line)
            told = self._ended

    def pytest_sessionstart(self) -> None:
        self._thread.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begun[nodeid] = self._clock()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._begun.pop(nodeid, None)
        self._ended += 1

    def pytest_sessionfinish(self) -> None:
        self._over.set()
        self._thread.join()


def install(config: pytest.Config) -> None:
    """Show progress in the process a person looks at; workers of it say nothing."""
    if hasattr(config, "workerinput"):
        return
    # A second way to the terminal: while a test runs, what is printed to the first is kept from it.
    terminal = os.dup(sys.__stdout__.fileno()) if sys.__stdout__ else os.open(os.devnull, os.O_WRONLY)
    config.add_cleanup(lambda: os.close(terminal))
    config.pluginmanager.register(Progress(lambda line: _write(terminal, line)), "aps-progress")


def _write(terminal: int, line: str) -> None:
    os.write(terminal, f"\n{line}\n".encode())
