"""The audit, the system and the settings: who did what, what everything runs on, who is let in."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field

from events.access import ACCESS, Revoked
from events.catalogue import UnknownFact, read_fact
from events.store import Recorded
from projections.database import SCHEMA, checkpoint
from projections.views.summary import summary
from schemas.access import Role, Scope
from services.access.titles import fit_title
from services.access.tokens import grant
from services.gateway.granting import refuse_beyond
from services.gateway.http.commands import Why, because, cause_of, record
from services.gateway.http.lists import At
from services.gateway.http.route import GOVERNING, LOOKING, Call, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.moment import moment_of
from services.gateway.pages.parts import withheld
from services.gateway.pages.rendering import page
from services.gateway.streams import queues, streams
from services.runtime.effective import effective
from services.runtime.ground import now

SETTINGS = "/ai/settings"
SHOWN = 100
READ_AT_ONCE = 2000
PERSONS = ("cli", "gateway")


class Trail(At):
    """Whose deeds: people's alone, or everybody's."""

    by: Annotated[str, Field(pattern="^(people|all)$")] = "people"


class NewToken(Why):
    """What the form for a token sends."""

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(fit_title)]
    role: Role
    days: Annotated[int, Field(ge=1, le=3650)] = 90


async def audit(call: Call) -> web.StreamResponse:
    """Show who did what, the latest first."""
    store = call.desk.book.store
    moment = await moment_of(call)
    seq = moment.at_seq or await store.head()
    found: list[Recorded] = []
    end = seq
    while end > 0 and len(found) < SHOWN:
        begin = max(0, end - READ_AT_ONCE)
        part = [one async for one in store.read_all(begin, end)]
        found += [one for one in reversed(part) if call.query.by == "all" or _by_a_person(one)]
        end = begin
    titles = {row.id: row.title for row in await call.desk.views.access(moment.at_seq)}
    rows = [(one.seq, one.envelope, _actor(one, titles), _told(one)) for one in found[:SHOWN]]
    return page(call, "audit.html", moment=moment, rows=rows, by=call.query.by)


def _by_a_person(one: Recorded) -> bool:
    return one.envelope.actor.partition("@")[0] in PERSONS


def _actor(one: Recorded, titles: Mapping[str, str]) -> str:
    """Return who acted, with the title of the token they acted by."""
    actor = one.envelope.actor
    title = titles.get(actor.rpartition("/")[2])
    return f"{title} ({actor})" if title else actor


def _told(one: Recorded) -> str:
    try:
        return summary(read_fact(one.envelope))
    except UnknownFact as unknown:
        return str(unknown)


async def system(call: Call) -> web.StreamResponse:
    """Show every component and copy of a service, the streams, what waits, and the views."""
    asker = call.desk.asker
    async with asker.pool.acquire() as connection:
        _, versions = await checkpoint(connection, SCHEMA)
    return page(
        call,
        "system.html",
        streams=await streams(asker.connection),
        queues=await queues(asker.connection),
        versions=sorted(versions.items()),
        seen=await call.desk.watch.last(),
        head=await call.desk.book.store.head(),
        checkpoint=await call.desk.views.checkpoint(),
        poisoned=await call.desk.views.poisoned(),
    )


async def settings(call: Call) -> web.StreamResponse:
    """Show tokens, budgets and the settings in effect."""
    return await _settings(call, "")


async def create(call: Call) -> web.StreamResponse:
    """Make a token, and show it this once."""
    wanted: NewToken = call.body
    await refuse_beyond(call, ())
    made = await grant(call.desk.book, wanted.title, wanted.role, cause_of(call), timedelta(days=wanted.days))
    return await _settings(call, made.text)


async def revoke(call: Call) -> web.StreamResponse:
    """Make a token worth nothing."""
    await record(call, ACCESS, call.named("id"), Revoked(reason=because(call, "revoked")), SETTINGS)
    return back_to(SETTINGS)


async def _settings(call: Call, made: str) -> web.StreamResponse:
    present = now()
    tokens = await call.desk.views.access()
    return page(
        call,
        "settings.html",
        made=made,
        tokens=[(row, not row.revoked and row.expires_at > present) for row in tokens],
        roles=tuple(Role),
        budgets=() if withheld(call)["budgets"] else await call.desk.views.budgets(),
        effective=effective(call.desk.ground.settings),
    )


ROUTES = (
    Route("GET", "/ai/audit", audit, LOOKING, Scope.LOG, "Audit", query=Trail, page=True),
    Route("GET", "/ai/system", system, LOOKING, Scope.SYSTEM, "System", page=True),
    Route("GET", SETTINGS, settings, GOVERNING, Scope.ACCESS, "Settings", page=True),
    Route("POST", SETTINGS, create, GOVERNING, Scope.ACCESS, "Make a token", body=NewToken, page=True),
    Route(
        "POST", f"{SETTINGS}/{{id}}/revoke", revoke, GOVERNING, Scope.ACCESS, "Revoke", body=Why, page=True
    ),
)
