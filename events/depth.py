"""The depth of an event: a header that counts the events which led to it, each caused by the one before.

Rules
1. `Aps-Depth` stands on what answers another event: the depth of that event, and one more. An event without
   it begins a chain.
2. It stands beside the envelope, so nothing that is proven rests on it. A restored log has lost it, and an
   event that a person gives to a role again comes without it: the count begins anew.
"""

import re
from collections.abc import Mapping

DEPTH = "Aps-Depth"
FIRST = 1

_number = re.compile(r"[1-9]\d{0,8}")


def depth_in(headers: Mapping[str, str] | None) -> int:
    """Return the depth of an event by the headers of its message."""
    told = (headers or {}).get(DEPTH, "")
    return int(told) if _number.fullmatch(told) else FIRST
