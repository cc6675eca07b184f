"""The log itself, event by event, as it stands."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from pydantic import Field

from events.store import Recorded
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.http.lists import MOST, USUAL, Page
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, Call, Reply, Route


class Events(Frozen):
    """Events after one, of one aggregate or of all."""

    after: Annotated[int, Field(ge=0, lt=1 << 60)] = 0
    limit: Annotated[int, Field(ge=1, le=MOST)] = USUAL
    aggregate: Annotated[str, Field(max_length=80, pattern=r"^[a-z_]*$")] = ""


class Event(Frozen):
    """An event and its sequence on the log; the envelope is CloudEvents 1.0 in structured JSON."""

    seq: int
    envelope: dict[str, Any]


async def events(call: Call) -> Reply:
    """Answer events in the order of the log; `next` is what `after` must be for the next page."""
    asked: Events = call.query
    found: list[Event] = []
    head = await call.desk.book.store.head()
    last = asked.after
    async for recorded in call.desk.book.store.read_all(asked.after, head):
        last = recorded.seq
        if asked.aggregate in ("", recorded.envelope.address.aggregate):
            found.append(_event(recorded))
        if len(found) == asked.limit:
            break
    following = str(last) if last < head else None
    return Reply(Page(items=tuple(found), next=following, position=head))


async def event(call: Call) -> Reply:
    """Answer one event."""
    named = call.named("seq")
    seq = int(named) if named.isascii() and named.isdecimal() and len(named) < 19 else 0
    if seq and seq <= await call.desk.book.store.head():
        async for recorded in call.desk.book.store.read_all(seq - 1, seq):
            return Reply(_event(recorded), headers={"Cache-Control": "private, max-age=31536000, immutable"})
    raise Problem(HTTPStatus.NOT_FOUND, f"there is no event {named[:20]!r}")


def _event(recorded: Recorded) -> Event:
    return Event(seq=recorded.seq, envelope=orjson.loads(recorded.envelope.encode()))


ROUTES = (
    Route(
        "GET",
        "/api/events",
        events,
        LOOKING,
        Scope.LOG,
        "List events of the log",
        query=Events,
        answers={HTTPStatus.OK: Page[Event]},
    ),
    Route(
        "GET",
        "/api/events/{seq:[0-9]+}",
        event,
        LOOKING,
        Scope.LOG,
        "Show one event",
        answers={HTTPStatus.OK: Event},
    ),
)
