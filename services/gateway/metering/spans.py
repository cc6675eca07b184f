"""The times that measures are shown for: how far back, and in what parts. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_PARTS = 60


class Range(StrEnum):
    """How far back."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    ALL = "all"


LENGTHS: dict[Range, tuple[timedelta, timedelta]] = {
    Range.HOUR: (timedelta(hours=1), timedelta(minutes=5)),
    Range.DAY: (DAY, timedelta(hours=1)),
    Range.WEEK: (timedelta(days=7), timedelta(hours=6)),
    Range.MONTH: (timedelta(days=30), DAY),
}


@dataclass(frozen=True)
class Span:
    """From `since` until before `until`, in parts of a `width` that begin at multiples of it."""

    since: datetime
    until: datetime
    width: timedelta

    @property
    def parts(self) -> tuple[datetime, ...]:
        """When each part begins."""
        count = -(-(self.until - self.since) // self.width)
        return tuple(self.since + self.width * place for place in range(count))


def span_of(wanted: Range, end: datetime, first: datetime | None) -> Span:
    """Return the span up to and with `end`; all of it begins at `first`, a day before where there is none."""
    until = end + timedelta(microseconds=1)
    if wanted is Range.ALL:
        length = max(until - (first or until - DAY), timedelta(minutes=5))
        width = _width(length)
    else:
        length, width = LENGTHS[wanted]
    since = until - length
    return Span(EPOCH + (since - EPOCH) // width * width, until, width)


def _width(length: timedelta) -> timedelta:
    """Return the least of some usual widths that gives few enough parts."""
    usual = [timedelta(minutes=one) for one in (1, 5, 15, 60, 360)]
    days = -(-length // (DAY * (MOST_PARTS - 1)))
    return next((one for one in usual if length / one <= MOST_PARTS - 1), DAY * days)
