"""How many requests are answered in a time: each sender has a bucket that fills steadily."""

import math
from collections import OrderedDict
from dataclasses import dataclass

MOST_SENDERS = 10_000


@dataclass(frozen=True)
class Rate:
    """So many a second, and as many at once."""

    per_second: float
    at_once: int


class Buckets:
    """The buckets of all senders; the one unseen for longest is forgotten first."""

    def __init__(self, rate: Rate) -> None:
        """Begin with full buckets."""
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, sender: str, now: float) -> int:
        """Take one from a sender's bucket; return the seconds until there is one, 0 where there was."""
        left, since = self._buckets.pop(sender, (float(self._rate.at_once), now))
        left = min(self._rate.at_once, left + (now - since) * self._rate.per_second)
        taken = left >= 1
        self._buckets[sender] = (left - 1 if taken else left, now)
        if len(self._buckets) > MOST_SENDERS:
            self._buckets.popitem(last=False)
        return 0 if taken else math.ceil((1 - left) / self._rate.per_second)

    def give_back(self, sender: str) -> None:
        """Put back the one that was taken last."""
        if sender in self._buckets:
            left, since = self._buckets[sender]
            self._buckets[sender] = (min(self._rate.at_once, left + 1), since)
