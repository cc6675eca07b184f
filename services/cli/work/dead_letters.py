"""Dead letters: events a role gave up on, and what a person did about each.

Rules
1. Nothing is deleted: that a letter was replayed or discarded, by whom and why, is a message of its own.
2. A letter is open until such a message names its number; the last of them counts, for what was discarded
   can be replayed.
"""

from datetime import datetime
from typing import Literal

import orjson
from nats.aio.client import Client

from events.jetstream.stream_reader import Stored, StreamReader
from events.subjects import CLOSED, DEAD_LETTER_STREAM, DEAD_LETTERS, closed_letter
from schemas.base import Frozen

PAGE = 500
CLOSINGS = f"{DEAD_LETTERS}.{CLOSED}."


class Closing(Frozen):
    """What was done about the letter of that number."""

    letter: int
    how: Literal["replayed", "discarded"]
    reason: str
    by: str
    at: datetime


class DeadLetter(Frozen):
    """One letter. `number` is its place among the messages, `seq` the place of its event on the log."""

    number: int
    role: str
    seq: int
    subject: str
    reason: str
    closed: Closing | None = None

    @property
    def replayed(self) -> bool:
        """Whether its role was given the event again, and was done with it."""
        return self.closed is not None and self.closed.how == "replayed"


async def letters(connection: Client, after: int = 0) -> list[DeadLetter]:
    """Return every letter with a number above `after`, oldest first, with its closing where it has one."""
    reader = StreamReader(connection, DEAD_LETTER_STREAM)
    stored: list[Stored] = []
    while page := await reader.page(stored[-1].seq if stored else after, PAGE):
        stored += page
    return folded(stored)


def folded(stored: list[Stored]) -> list[DeadLetter]:
    """Return the letters among messages, with what the others say was done about them."""
    closings = [Closing.model_validate_json(s.body) for s in stored if s.subject.startswith(CLOSINGS)]
    by_number = {closing.letter: closing for closing in closings}
    return [
        DeadLetter(number=s.seq, closed=by_number.get(s.seq), **orjson.loads(s.body))
        for s in stored
        if not s.subject.startswith(CLOSINGS)
    ]


async def close(connection: Client, closing: Closing) -> None:
    """Keep what was done about a letter."""
    await connection.jetstream().publish(closed_letter(closing.letter), closing.model_dump_json().encode())


def given_up(letter: DeadLetter, aps: str) -> str:
    """Say why what waits for the event of a letter cannot end, and by which command it does."""
    event = f"event {letter.seq} ({letter.subject})"
    replay = f"{aps} dead replay {letter.number}"
    if letter.closed is None:
        return (
            f"{letter.role} gave up on {event}: {letter.reason}\n"
            f"when the cause is gone: {replay}, then run this again"
        )
    return (
        f"this cannot end: {letter.role} gave up on {event}, and that was discarded by "
        f"{letter.closed.by}: {letter.closed.reason}\n"
        f"to do it after all: {replay}, then run this again; a new commit in the target begins a new cycle"
    )


async def close_applied(connection: Client, blocking: set[int], by: str, at: datetime) -> None:
    """Close the letters of events that were not applied and now are: all but `blocking`."""
    for letter in await letters(connection):
        if letter.role == "projector" and letter.closed is None and letter.seq not in blocking:
            reason = "the views were built anew and hold the event"
            await close(
                connection, Closing(letter=letter.number, how="replayed", reason=reason, by=by, at=at)
            )
