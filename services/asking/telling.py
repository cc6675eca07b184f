"""Tells whoever listens what an engine does: the latest word, not too often, and never in the call's way.

Rules
1. What cannot be told is forgotten: progress is no fact, and nothing waits for it.
2. Of words that come too fast the latest is told; the last one before the end always is.
3. Secrets are masked and control characters taken out before a word leaves the process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from schemas.run_progress import RunProgress
from services.asking.question import Mask
from services.engines.line import one_line
from services.engines.port import Progress, Tell

log = structlog.get_logger()

WAITING, BEGAN, ENDED, TURN = "waiting", "began", "ended", "turn"
SECONDS_BETWEEN = 0.2
LONGEST = 200

Announce = Callable[[RunProgress], Awaitable[None]]


class Saying(Protocol):
    """Makes a word about one run."""

    def __call__(self, kind: str, text: str, turn: int) -> RunProgress:
        """Return it."""
        ...


async def unheard(_: RunProgress) -> None:
    """Tell nobody."""


@asynccontextmanager
async def telling(
    saying: Saying, mask: Mask, announce: Announce, seconds_between: float = SECONDS_BETWEEN
) -> AsyncIterator[Tell]:
    """Give what an engine may tell its progress to for the time of the block."""
    words = _Words(saying, mask)
    await _told(announce, words.take(Progress(BEGAN, "")))
    passing_on = asyncio.create_task(_passed_on(words, announce, seconds_between))
    try:
        yield words.hear
    finally:
        passing_on.cancel()
        await asyncio.wait({passing_on})
        if words.latest is not None:
            await _told(announce, words.take(words.latest))
        await _told(announce, words.take(Progress(ENDED, "")))


class _Words:
    """The latest word of an engine, and how many turns it took."""

    def __init__(self, saying: Saying, mask: Mask) -> None:
        self.latest: Progress | None = None
        self.came = asyncio.Event()
        self._saying, self._mask, self._turn = saying, mask, 0

    def hear(self, progress: Progress) -> None:
        self._turn += progress.kind == TURN
        self.latest = progress
        self.came.set()

    def take(self, progress: Progress) -> RunProgress:
        self.latest = None
        self.came.clear()
        return self._saying(progress.kind, one_line(self._mask(progress.text), LONGEST), self._turn)


async def _passed_on(words: _Words, announce: Announce, seconds_between: float) -> None:
    while True:
        await words.came.wait()
        if words.latest is not None:
            await _told(announce, words.take(words.latest))
        await asyncio.sleep(seconds_between)


async def _told(announce: Announce, word: RunProgress) -> None:
    try:
        await announce(word)
    except Exception as problem:  # noqa: BLE001 -- whatever it was, the call goes on
        log.debug("progress was not told", run=word.run, problem=str(problem))
