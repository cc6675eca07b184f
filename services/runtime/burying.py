"""Drops the letters of events that a role gave up on: one for an event, however often it is delivered.

Rules
1. A letter that is open or was discarded stands for its event whenever that comes again: a log that was
   written anew delivers everything again.
2. A role that was done with the event after all (`replayed`) and gives up on it again is news: another
   letter. So is another event, at a sequence that a log written anew gave again.
3. Of two copies that drop at once the server takes one: each says which letter it saw last.
"""

import asyncio
import hashlib
from dataclasses import dataclass

import nats.errors
import nats.js.errors
import orjson
from nats.aio.client import Client

from events.jetstream.replicas import PAUSES
from events.jetstream.stream_reader import EXPECTED, Stored, StreamReader
from events.store import Unavailable
from events.subjects import DEAD_LETTER_STREAM, closed_letter, dead_letter

EVENT = "Aps-Event"  # header: the sha256 of the message that the letter is about
WRONG_LAST = 10071  # the server's error code
LONGEST_REASON = 4000


@dataclass(frozen=True)
class GivenUp:
    """What a role gave up on, and why. `body` is the message, empty where who tells has not got it."""

    role: str
    seq: int
    subject: str
    reason: str
    body: bytes = b""

    @property
    def letter(self) -> dict[str, str | int]:
        """What the letter says."""
        reason = self.reason[:LONGEST_REASON]
        return {"role": self.role, "seq": self.seq, "subject": self.subject, "reason": reason}

    @property
    def event(self) -> str:
        """What tells the event from another at its sequence, as far as that is known."""
        return hashlib.sha256(self.body).hexdigest() if self.body else ""


async def bury(connection: Client, what: GivenUp) -> bool:
    """Drop a letter unless one stands for the event; return whether it was dropped. Raises `Unavailable`."""
    where = dead_letter(what.role, what.seq)
    reader = StreamReader(connection, DEAD_LETTER_STREAM)
    for pause in PAUSES:
        last = await reader.last(where)
        if last is not None and await _stands_for(reader, last, what):
            return False
        headers = {EXPECTED: str(last.seq if last else 0), EVENT: what.event}
        try:
            await connection.jetstream().publish(where, orjson.dumps(what.letter), headers=headers)
        except nats.js.errors.APIError as refused:
            if refused.err_code != WRONG_LAST:
                raise Unavailable(
                    f"the dead letter of event {what.seq} was not taken: {refused}"
                ) from refused
        except (nats.errors.Error, TimeoutError) as problem:
            raise Unavailable(f"the dead letter of event {what.seq} was not taken: {problem!r}") from problem
        else:
            return True
        await asyncio.sleep(pause)  # another copy dropped one, which a replica may not have yet
    raise Unavailable(f"the dead letter of event {what.seq} was not taken: others drop more")


async def _stands_for(reader: StreamReader, letter: Stored, what: GivenUp) -> bool:
    told = letter.headers.get(EVENT, "")
    if orjson.loads(letter.body)["subject"] != what.subject or (told and what.event and told != what.event):
        return False
    closing = await reader.last(closed_letter(letter.seq))
    return closing is None or orjson.loads(closing.body)["how"] != "replayed"
