"""The trail: a header that tells where the earlier events of the same aggregate stand.

Rules
1. It says what to fetch together with an event, nothing more: the way back is the concurrency header, and
   what was fetched counts only where that way leads. A wrong or missing trail costs time, never truth.
2. `Aps-Trail` holds sequences and ranges, ascending (`17,30-31`), the newest of the events before the
   append; `Aps-Part` the place within it, from 0, so that a middle event finds its first.
"""

import re
from collections.abc import Mapping, Sequence

TRAIL = "Aps-Trail"
PART = "Aps-Part"
LENGTH = 32  # ranges of one header, events of one step back

_trail = re.compile(r"\d{1,19}(-\d{1,19})?(,\d{1,19}(-\d{1,19})?){0,40}")
_part = re.compile(r"\d{1,3}")


def trail_after(sequences: Sequence[int]) -> str:
    """Return the header for an append that follows the events at `sequences` (ascending)."""
    ranges: list[list[int]] = []
    for seq in reversed(sequences[-LENGTH:]):
        if ranges and ranges[-1][0] == seq + 1:
            ranges[-1][0] = seq
        else:
            ranges.append([seq, seq])
    return ",".join(f"{low}-{high}" if low < high else str(low) for low, high in reversed(ranges))


def earlier(seq: int, headers: Mapping[str, str]) -> tuple[int, ...]:
    """Return up to `LENGTH` sequences before `seq`, newest first, as the headers of its message tell."""
    part, trail = headers.get(PART, ""), headers.get(TRAIL, "")
    before = [seq - back for back in range(1, int(part) + 1)] if _part.fullmatch(part) else []
    if _trail.fullmatch(trail):
        for piece in reversed(trail.split(",")):
            low, _, high = piece.partition("-")
            newest = int(high or low)
            before.extend(range(newest, max(int(low), newest - LENGTH) - 1, -1))
    return tuple(one for one in before if 0 < one < seq)[:LENGTH]
