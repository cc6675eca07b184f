"""What changed between two points of the log: improvements that stand elsewhere, and every event between."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from aiohttp import web
from pydantic import Field

from events.catalogue import UnknownFact, read_fact
from events.store import Recorded
from projections.views.summary import summary
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.api.reading import time_of
from services.gateway.http.lists import At
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, Call, Route
from services.gateway.pages.moment import moment_of
from services.gateway.pages.rendering import page
from services.runtime.moments import NoMoment, NothingThen, seq_named

CHANGES = "/ai/changes"
MOST_MOVED = 500
MOST_EVENTS = 300


class Between(At):
    """From a point, which is not part of it, to another; a sequence or a time each."""

    since: Annotated[str, Field(alias="from", max_length=64)] = ""


class Happened(Frozen):
    """One event, in a person's words."""

    seq: int
    time: datetime
    actor: str
    of: str
    told: str


async def changes(call: Call) -> web.StreamResponse:
    """Show what changed. The later point is now where none is named."""
    moment = await moment_of(call)
    since = await _since(call)
    if since > moment.seq:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"event {since} is behind event {moment.seq}")
    moved = await call.desk.views.moved(since, moment.seq, MOST_MOVED + 1)
    recorded = call.desk.book.store.read_all(since, min(moment.seq, since + MOST_EVENTS))
    return page(
        call,
        "changes.html",
        moment=moment,
        since=since,
        since_time=await time_of(call, since) if since else None,
        moved=moved[:MOST_MOVED],
        more_moved=len(moved) > MOST_MOVED,
        events=[_happened(one) async for one in recorded],
        number=moment.seq - since,
        most=MOST_EVENTS,
    )


async def _since(call: Call) -> int:
    """Return the earlier point; the beginning of the log where none is named. Raises `Problem`."""
    text = call.query.since.strip()
    if text in ("", "0"):
        return 0
    try:
        return await seq_named(call.desk.book.store, text, call.desk.book.clock()) or 0
    except NoMoment as problem:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem)) from None
    except NothingThen as problem:
        raise Problem(HTTPStatus.NOT_FOUND, str(problem)) from None


def _happened(one: Recorded) -> Happened:
    envelope = one.envelope
    try:
        told = summary(read_fact(envelope))
    except UnknownFact as unknown:
        told = str(unknown)
    of = f"{envelope.address.aggregate} {envelope.address.id}"
    return Happened(seq=one.seq, time=envelope.at, actor=envelope.actor, of=of, told=told)


ROUTES = (Route("GET", CHANGES, changes, LOOKING, Scope.LOG, "What changed", query=Between, page=True),)
