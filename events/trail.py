"""The trail: a header that tells where the earlier events of the same aggregate stand.

Rules
1. It says what to fetch together with an event, nothing more: the way back is the concurrency header, and
   what was fetched counts only where that way leads. A wrong or missing trail costs time, never truth.
2. `Aps-Trail` holds the sequences of the newest events before the append, ascending (`17,30,31`);
   `Aps-Part` the place within the append, from 1 for its second event, so that it finds the first.
"""

import re
from collections.abc import Mapping, Sequence

TRAIL = "Aps-Trail"
PART = "Aps-Part"
LENGTH = 16  # events of one step back; each costs an event some seven bytes

_trail = re.compile(r"\d{1,19}(,\d{1,19}){0,63}")
_part = re.compile(r"\d{1,3}")


def trail_after(sequences: Sequence[int]) -> str:
    """Return the header for an append that follows the events at `sequences` (ascending)."""
    return ",".join(map(str, sequences[-LENGTH:]))


def longer(trail: str, seq: int) -> str:
    """Return the header for an append that follows one more event, at `seq`."""
    if trail.count(",") == LENGTH - 1:
        trail = trail.partition(",")[2]
    return f"{trail},{seq}" if trail else str(seq)


def earlier(seq: int, headers: Mapping[str, str]) -> tuple[int, ...]:
    """Return up to `LENGTH` sequences before `seq`, newest first, as the headers of its message tell."""
    part, trail = headers.get(PART, ""), headers.get(TRAIL, "")
    before = list(range(seq - 1, seq - 1 - int(part), -1)) if _part.fullmatch(part) else []
    if _trail.fullmatch(trail):
        before.extend(map(int, reversed(trail.split(","))))
    return tuple(one for one in before if 0 < one < seq)[:LENGTH]
