"""What pages are drawn from while the log is away: the journal, the copy of it that stands beside the views.

It may lack what the views have not applied yet. Kept texts are nowhere but in NATS: `Shelf` names those.
"""

from datetime import datetime
from typing import TypeVar

from events.catalogue import read_fact
from events.fact import AggregateType
from events.store import Recorded, Unavailable
from projections.journal import event_in
from services.dossier.improvement import state_at
from services.gateway.api import reading
from services.gateway.desk import GatewayDesk
from services.gateway.http.route import Call
from services.runtime.log import stamp_of

StateT = TypeVar("StateT")


async def state_of(desk: GatewayDesk, kind: AggregateType[StateT], id: str, seq: int | None) -> StateT:
    """Return the state of an aggregate as of a sequence; None is now."""
    try:
        return await state_at(desk.book, kind, id, seq)
    except Unavailable:
        found = await _journaled(desk, kind.name, id, seq)
        return kind.fold((read_fact(one.envelope), stamp_of(one)) for one in found)


async def events_of(desk: GatewayDesk, aggregate: str, id: str, seq: int | None) -> tuple[Recorded, ...]:
    """Return the events of an aggregate up to a sequence; None is all."""
    try:
        recorded, _ = await desk.book.store.read(aggregate, id)
    except Unavailable:
        return await _journaled(desk, aggregate, id, seq)
    return tuple(one for one in recorded if seq is None or one.seq <= seq)


async def seq_of(call: Call, head: int) -> int | None:
    """Return the sequence that is asked for, None for now; `head` is where the views are. Raises `Problem`.

    Raises `Unavailable` where only the log tells it: of a time, and of what the views have not reached.
    """
    try:
        return await reading.seq_of(call)
    except Unavailable:
        text = call.query.at.strip()
        if text.isascii() and text.isdecimal() and 0 < int(text) <= head:
            return int(text)
        raise


async def time_of(call: Call, seq: int) -> datetime:
    """Return the time of an event."""
    try:
        return await reading.time_of(call, seq)
    except Unavailable:
        (line,) = await call.desk.views.journal(seq - 1, 1)
        return event_in(line.seq, line.envelope).envelope.at


async def _journaled(desk: GatewayDesk, aggregate: str, id: str, seq: int | None) -> tuple[Recorded, ...]:
    lines = await desk.views.journaled(aggregate, id, seq)
    return tuple(event_in(line.seq, line.envelope) for line in lines)
