"""Reads the log for a person: lists, shows and follows events."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import cast

import orjson

from events.catalogue import AGGREGATES, UnknownFact, read_fact
from events.envelope import FIELDS, Envelope, digest
from events.store import EventStore, Recorded
from events.unreadable import complaint, is_unreadable, message_of
from projections.views.summary import summary
from services.cli.desk import at_log
from services.cli.session import Exit, Stop, print_json, print_json_line
from services.cli.tables import show_lines, show_table
from services.cycle.text import plain_block, plain_text
from services.runtime.settings import Settings

WINDOW = 1000
SHORTEST_PREFIX = 6  # of an event's id


@dataclass(frozen=True)
class Chosen:
    """Which events; an empty name is any."""

    aggregate: str = ""
    id: str = ""
    fact: str = ""

    def takes(self, event: Recorded) -> bool:
        """Whether an event is one of them."""
        at = event.envelope.address
        return (self.aggregate or at.aggregate, self.id or at.id, self.fact or at.fact) == (
            at.aggregate,
            at.id,
            at.fact,
        )

    def check(self) -> None:
        """End the command with 2 for a kind of aggregate there is not."""
        if self.aggregate and self.aggregate not in AGGREGATES:
            raise Stop(Exit.USAGE, f"no aggregate {self.aggregate!r}; there are: {', '.join(AGGREGATES)}")


async def list_events(
    settings: Settings, chosen: Chosen, after: int | None, limit: int, *, as_json: bool
) -> None:
    """List events: those that follow `after`, or without it the last."""
    chosen.check()
    async with at_log(settings) as desk:
        store = desk.book.store
        found = await (
            last(store, chosen, limit) if after is None else following(store, chosen, after, limit)
        )
    if as_json:
        print_json([placed(event) for event in found])
    else:
        show_table(("SEQ", "TIME!", "BY!", "OF!", "FACT!", "WHAT"), map(cells, found), empty="no events")


async def following(store: EventStore, chosen: Chosen, after: int, limit: int) -> list[Recorded]:
    """Return the first events after a sequence."""
    found: list[Recorded] = []
    async for event in store.read_all(after):
        if chosen.takes(event):
            found.append(event)
            if len(found) == limit:
                break
    return found


async def last(store: EventStore, chosen: Chosen, limit: int) -> list[Recorded]:
    """Return the last events, oldest first."""
    found: deque[Recorded] = deque()
    until = await store.head()
    while until and len(found) < limit:
        after = max(0, until - max(WINDOW, limit))
        page = [event async for event in store.read_all(after, until) if chosen.takes(event)]
        found.extendleft(reversed(page))
        until = after
    return list(found)[-limit:] if limit else []


async def show(settings: Settings, named: str, *, as_json: bool) -> None:
    """Show one event whole."""
    async with at_log(settings) as desk:
        event = await event_of(desk.book.store, named)
    if as_json:
        print_json(placed(event))
        return
    envelope = event.envelope
    if is_unreadable(envelope):
        _show_unreadable(event.seq, envelope)
        return
    fields = {name: plain_text(str(getattr(envelope, name))) for name in FIELDS if name != "data"}
    fits = "" if envelope.hash == digest(envelope) else "  (does not fit the content: the event was altered)"
    show_lines({"seq": event.seq, "says": _said(envelope), **fields, "hash": envelope.hash + fits}.items())
    print(plain_block(orjson.dumps(envelope.data, option=orjson.OPT_INDENT_2).decode()))


def _show_unreadable(seq: int, envelope: Envelope) -> None:
    subject, body = message_of(envelope)
    fields = {"seq": seq, "subject": plain_text(subject), "says": _said(envelope), "bytes": str(len(body))}
    show_lines({**fields, "hash": envelope.hash}.items())
    print(plain_block(body.decode("utf-8", "backslashreplace")))


async def event_of(store: EventStore, named: str) -> Recorded:
    """Return the event at a sequence, or with an id or its beginning; ends the command with 3 for none."""
    head = await store.head()
    if named.isdecimal():
        seq = int(named)
        if not 0 < seq <= head:
            raise Stop(Exit.NOT_FOUND, f"there is no event {seq}: the log has 1 to {head}")
        (found,) = [event async for event in store.read_all(seq - 1, seq)]
        return found
    if len(named) < SHORTEST_PREFIX:
        raise Stop(
            Exit.USAGE, f"{named!r} is neither a sequence nor {SHORTEST_PREFIX} characters of an event's id"
        )
    alike = [event async for event in store.read_all() if event.envelope.id.startswith(named.lower())]
    if not alike:
        raise Stop(Exit.NOT_FOUND, f"there is no event {named!r}; see: aps events list")
    if len(alike) > 1:
        raise Stop(Exit.USAGE, f"{named!r} begins several ids: {', '.join(e.envelope.id for e in alike[:5])}")
    return alike[0]


async def tail(settings: Settings, chosen: Chosen, lines: int, limit: int, *, as_json: bool) -> None:
    """Show the last events and then the new ones as they come, at most `limit` (0: until stopped)."""
    chosen.check()
    async with at_log(settings) as desk:
        store = desk.book.store
        before = await last(store, chosen, lines)
        _print(before[:limit] if limit else before, as_json=as_json)
        left = limit - len(before)
        if limit and left <= 0:
            return
        after = before[-1].seq if before else await store.head()
        async with aclosing(_new(store, chosen, after)) as events:
            async for event in events:
                _print((event,), as_json=as_json)
                left -= 1
                if limit and not left:
                    return


async def _new(store: EventStore, chosen: Chosen, after: int) -> AsyncGenerator[Recorded, None]:
    events = cast("AsyncGenerator[Recorded, None]", store.live(after))
    async with aclosing(events) as opened:
        async for event in opened:
            if chosen.takes(event):
                yield event


def _print(events: Iterable[Recorded], *, as_json: bool) -> None:
    for event in events:
        if as_json:
            print_json_line(placed(event))
        else:
            seq, time, who, of, fact, says = cells(event)
            print(f"{seq:>6}  {str(time)[11:19]:<8}  {who:<9}  {of}  {fact}: {says}", flush=True)


def placed(event: Recorded) -> dict[str, object]:
    """Return an event with its sequence, as JSON shows it."""
    return {"seq": event.seq, "event": asdict(event.envelope)}


def cells(event: Recorded) -> tuple[object, ...]:
    """Return sequence, time, role, aggregate, fact and meaning, safe to show; no time of what is no event."""
    envelope = event.envelope
    words = (envelope.actor.partition("@")[0], envelope.subject, envelope.address.fact, _said(envelope))
    time = "" if is_unreadable(envelope) else envelope.at
    return (str(event.seq), time, *(plain_text(word) for word in words))


def _said(envelope: Envelope) -> str:
    """Return what the event says in a person's words, its data where this version does not know it."""
    if is_unreadable(envelope):
        return plain_text(f"the message is no event: {complaint(envelope)}")
    try:
        return plain_text(summary(read_fact(envelope)))
    except UnknownFact:
        return plain_text(orjson.dumps(envelope.data).decode())
