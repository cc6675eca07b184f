"""When events were stored: the server's own times, and those that a restored log brings from before.

Rules
1. A restored message carries when it was first stored, in `Aps-Stored-At`; all others go by the server.
2. Those times never run backwards over the stream: a restored log is a beginning, and whoever restores
   writes each time not before the one before it.
"""

from datetime import UTC, datetime

from events.stream_reader import Stored, StreamReader

STORED_AT = "Aps-Stored-At"
SERVER_TIME = "Nats-Time-Stamp"


def stored_at(stored: Stored) -> str:
    """Return when a message was first stored, in ISO 8601 (RFC 3339); empty where nothing tells."""
    told = stored.headers.get(STORED_AT, "")
    return told if is_moment(told) else stored.headers.get(SERVER_TIME, "")


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
    if stored_at(after) == after.headers.get(SERVER_TIME):
        return after.seq - 1
    # restored later than `time`: what it was before the restore is found by halving
    low, high = after.seq - 1, await reader.head()
    while low < high:
        middle = (low + high + 1) // 2
        stored = await reader.at(middle)
        if stored is not None and moment(stored_at(stored)) <= time:
            low = middle
        else:
            high = middle - 1
    return low
