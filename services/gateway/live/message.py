"""Server-sent messages as they stand on the wire. Pure.

Rules
1. Data is JSON on one line: no line break of any kind stands in it raw, so no content can forge a message.
2. Each carries the sequence it stands for as its id.
"""

from typing import Any

import orjson

from events.store import Recorded


def event_message(recorded: Recorded) -> bytes:
    """Return an event of the log as it is sent."""
    return message(recorded.seq, "event", orjson.Fragment(recorded.envelope.encode()))


def message(id: int, kind: str, data: Any) -> bytes:
    """Return one message."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (id, kind.encode(), orjson.dumps(data))
