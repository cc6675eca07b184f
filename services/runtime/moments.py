"""What a person may give as a moment of the log: a sequence, an ISO 8601 time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

from events.store import EventStore

AGO = re.compile(r"(?P<count>\d{1,5}) ?(?P<unit>[smhd])( ago)?")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
APPEND_TAKES = timedelta(seconds=10)


class NoMoment(ValueError):  # noqa: N818 -- what was given
    """A text names no moment."""


class NothingThen(LookupError):  # noqa: N818 -- what was found
    """A moment is named where the log has nothing (yet)."""


def is_relative(at: str) -> bool:
    """Whether `at` names another moment every time it is asked."""
    return AGO.fullmatch(at.strip()) is not None


def moment_of(at: str, present: datetime) -> int | datetime | None:
    """Return what `at` names, None when it is empty; a time without a zone is local.

    Raises `NoMoment` for anything else, `NothingThen` for a time that has not come.
    """
    text = at.strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    if ago := AGO.fullmatch(text):
        return present - timedelta(**{UNITS[ago["unit"]]: int(ago["count"])})
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoMoment(
            f"{at!r} is neither a sequence, nor a time such as 2026-11-23T14:05, nor such as '10m ago'"
        ) from None
    if moment > present:
        raise NothingThen(f"{at} has not come yet")
    return moment


async def seq_named(store: EventStore, at: str, present: datetime) -> int | None:
    """Return the sequence that `at` names (see `moment_of`), None when it is empty.

    Raises `NoMoment`, or `NothingThen` where nothing stands there.
    """
    moment = moment_of(at, present)
    if moment is None:
        return None
    found = await (_known(store, moment) if isinstance(moment, int) else last_at(store, moment))
    if not found:
        empty = not await store.head()
        raise NothingThen("the log is empty" if empty else f"there was no event yet at {at}")
    return found


async def last_at(store: EventStore, moment: datetime) -> int:
    """Return the last event stored by that time, or the event whose own time it is, as views show it.

    An event is stored a moment after its own time; one stored later than an append takes counts as
    stored, whatever its writer's clock said.
    """
    seq = await store.seq_at(moment)
    own = [
        event.seq
        async for event in store.read_all(seq, await store.seq_at(moment + APPEND_TAKES))
        if event.envelope.at == moment
    ]
    return max(own, default=seq)


async def _known(store: EventStore, seq: int) -> int:
    head = await store.head()
    if seq > head:
        raise NothingThen(f"there is no event {seq}: the log ends at {head}")
    return seq
