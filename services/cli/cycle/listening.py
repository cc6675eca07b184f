"""Hears what engines do for runs while they do it, and says it to a person."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import ValidationError

from events.subjects import run_progress
from schemas.run_progress import RunProgress
from services.cycle.text import shortened

ENDED = "ended"
LONGEST = 200
_SAID = {"waiting": "waits for a place: ", "retry": "tries again: ", "text": "says: "}


@asynccontextmanager
async def listening(
    connection: Client, hear: Callable[[RunProgress], None], run: str = "*"
) -> AsyncIterator[None]:
    """Hand every word about a run (or all) to `hear`, from whichever process, for the time of the block."""

    async def take(message: Msg) -> None:
        try:
            hear(RunProgress.model_validate_json(message.data))
        except ValidationError:
            return  # of another version: what it says is no fact, and nothing depends on it

    subscription = await connection.subscribe(run_progress(run), cb=take)
    try:
        await connection.flush()
        yield
    finally:
        await subscription.unsubscribe()


class Heard:
    """The latest words about calls that are under way: one for what a role asks for an improvement.

    A call that is made again takes the place of one that was killed and never said that it ended.
    """

    def __init__(self) -> None:
        self._words: dict[tuple[str, str, str], RunProgress] = {}

    def __call__(self, word: RunProgress) -> None:
        """Take a word."""
        about = (word.improvement, word.role, word.task)
        self._words.pop(about, None)
        if word.kind != ENDED:
            self._words[about] = word

    def latest(self, improvements: Collection[str]) -> RunProgress | None:
        """Return the latest word about a call for one of these improvements; None where none is under way."""
        mine = [word for word in self._words.values() if word.improvement in improvements]
        return mine[-1] if mine else None


def said_of(word: RunProgress) -> str:
    """Say in a line who has an engine do what, and what it does now."""
    turn = f", turn {word.turn}" if word.turn else ""
    again = f", attempt {word.attempt}" if word.attempt > 1 else ""
    engine = f"{word.engine} {word.model}".strip()
    now = f": {_SAID.get(word.kind, '')}{word.text}" if word.text else ""
    return shortened(f"{word.role} asks {engine} ({word.task}{again}{turn}){now}", LONGEST)
