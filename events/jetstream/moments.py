"""When events were stored: the server's own times, and those that a restored log brings from before.

Rules
1. A restored message carries when it was first stored, in `Aps-Stored-At`; all others go by the server.
   Who publishes may write that header too: it counts only within the sequences that the stream's metadata
   names as restored, which `admin` alone may write, and never for a time after the server's own.
2. Those times never run backwards over the stream: a restored log is a beginning, and whoever restores
   writes each time not before the one before it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from events.jetstream.stream_reader import Stored, StreamReader

STORED_AT = "Aps-Stored-At"
SERVER_TIME = "Nats-Time-Stamp"
RESTORED = "aps.restored"

_range = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


@dataclass(frozen=True)
class Restored:
    """The sequences that restores wrote, as ranges from first to last, ascending."""

    ranges: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def read(text: str) -> "Restored":
        """Read them as the metadata have them: `1-40,57-60`."""
        return Restored(tuple([(int(first), int(last)) for first, last in _range.findall(text)]))

    @property
    def text(self) -> str:
        """What `read` reads."""
        return ",".join(f"{first}-{last}" for first, last in self.ranges)

    def __contains__(self, seq: int) -> bool:
        """Whether a restore wrote the message at `seq`."""
        return any(first <= seq <= last for first, last in self.ranges)

    def and_then(self, head: int, until: int) -> "Restored":
        """Return them with what follows on `head`; what is named beyond it was never written."""
        ranges = [(first, min(last, head)) for first, last in self.ranges if first <= head]
        if ranges and ranges[-1][1] == head:
            return Restored((*ranges[:-1], (ranges[-1][0], until)))
        return Restored((*ranges, (head + 1, until)))


async def restored(reader: StreamReader) -> Restored:
    """Return which sequences of a stream were restored."""
    return Restored.read((await reader.metadata()).get(RESTORED, ""))


def stored_at(stored: Stored, known: Restored) -> str:
    """Return when a message was first stored, in ISO 8601 (RFC 3339); empty where nothing tells."""
    told, served = stored.headers.get(STORED_AT, ""), stored.headers.get(SERVER_TIME, "")
    if stored.seq not in known or not is_moment(told):
        return served
    return served if served and moment(served) < moment(told) else told


def is_moment(text: str) -> bool:
    """Whether `moment` reads a text, with its zone: who publishes may write anything into a header."""
    try:
        read = moment(text)
        return read.tzinfo is not None and read.astimezone(UTC) == read
    except (OverflowError, ValueError):
        return False


def moment(text: str) -> datetime:
    """Read such a time; it may have nanoseconds, which are cut."""
    whole, dot, fraction = text.removesuffix("Z").partition(".")
    if text.endswith("Z"):
        fraction = f"{dot}{fraction[:6]}" if dot else ""
        return datetime.fromisoformat(whole + fraction).replace(tzinfo=UTC)
    return datetime.fromisoformat(text)


async def last_until(reader: StreamReader, time: datetime) -> int:
    """Return the last sequence stored at or before `time`, 0 when there is none."""
    after = await reader.first_since(time)
    if after is None:
        return await reader.head()
    known = await restored(reader)
    if after.seq not in known:
        return after.seq - 1
    # restored later than `time`: what it was before the restore is found by halving
    low, high = after.seq - 1, await reader.head()
    while low < high:
        middle = (low + high + 1) // 2
        stored = await reader.at(middle)
        if stored is not None and moment(stored_at(stored, known)) <= time:
            low = middle
        else:
            high = middle - 1
    return low
