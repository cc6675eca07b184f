"""Dead letters: events a role gave up on, and what a person did about each.

Rules
1. Nothing is deleted: that a letter was replayed or discarded, by whom and why, is a message of its own.
2. A letter is open until such a message names its number; the last of them counts, for what was discarded
   can be replayed.
3. Of two who close a letter at once the first does, and the other is told: each says which closing it saw.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import nats.errors
import nats.js.errors
import orjson
from nats.aio.client import Client

from events.jetstream.stream_reader import EXPECTED, Stored, StreamReader
from events.store import Unavailable
from events.subjects import CLOSED, DEAD_LETTER_STREAM, DEAD_LETTERS, closed_letter
from schemas.base import Frozen
from services.runtime.burying import WRONG_LAST

PAGE = 500
STORED_AT = "Nats-Time-Stamp"
DROPPED_AT = "Aps-Dropped-At"  # of a letter that was stored again from a backup
CLOSINGS = f"{DEAD_LETTERS}.{CLOSED}."


class ClosedMeanwhile(Exception):  # noqa: N818 -- what happened
    """Somebody else did something about the letter first."""


class Closing(Frozen):
    """What was done about the letter of that number; `key` tells a request sent again from another."""

    letter: int
    how: Literal["replayed", "discarded"]
    reason: str
    by: str
    at: datetime
    key: str = ""


class DeadLetter(Frozen):
    """One letter. `number` is its place among the messages, `seq` the place of its event on the log.

    `since` is when it was dropped; `closed_number` is the place of its closing, 0 where it has none.
    """

    number: int
    role: str
    seq: int
    subject: str
    reason: str
    since: datetime | None = None
    closed: Closing | None = None
    closed_number: int = 0

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
    closings = [
        (Closing.model_validate_json(s.body), s.seq) for s in stored if s.subject.startswith(CLOSINGS)
    ]
    by_number = {closing.letter: (closing, number) for closing, number in closings}
    return [
        _letter(s, *by_number.get(s.seq, (None, 0))) for s in stored if not s.subject.startswith(CLOSINGS)
    ]


def _letter(stored: Stored, closed: Closing | None, number: int) -> DeadLetter:
    since = dropped_at(stored.headers).get(DROPPED_AT)
    told = orjson.loads(stored.body)
    return DeadLetter.model_validate(
        {**told, "number": stored.seq, "since": since, "closed": closed, "closed_number": number}
    )


def dropped_at(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header that keeps when a letter was dropped, from those it was read with."""
    found = headers.get(DROPPED_AT) or headers.get(STORED_AT)
    return {DROPPED_AT: found} if found else {}


async def close(connection: Client, closing: Closing, seen: int | None = None) -> None:
    """Keep what was done about a letter; `seen` is its `closed_number` as it was looked at.

    Raises `ClosedMeanwhile`, `Unavailable`.
    """
    headers = {} if seen is None else {EXPECTED: str(seen)}
    body = closing.model_dump_json(exclude_defaults=True).encode()
    try:
        await connection.jetstream().publish(closed_letter(closing.letter), body, headers=headers)
    except nats.js.errors.APIError as refused:
        if refused.err_code != WRONG_LAST:
            raise Unavailable(f"letter {closing.letter} could not be closed: {refused}") from refused
        raise ClosedMeanwhile(f"letter {closing.letter} was closed meanwhile: look again") from refused
    except (nats.errors.Error, TimeoutError) as problem:
        raise Unavailable(f"letter {closing.letter} could not be closed: {problem!r}") from problem


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
