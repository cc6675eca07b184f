"""Dead letters for people: each with what to do about it."""

from functools import partial

from aiohttp import web

from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.api import letters
from services.gateway.http.commands import Why
from services.gateway.http.route import DECIDING, LOOKING, Call, Handler, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.rendering import page

PLACE = "/ai/dead-letters"
LATEST = 100


class Shown(Frozen):
    """Whether the closed ones are shown too."""

    closed: bool = False


async def board(call: Call) -> web.StreamResponse:
    """Show the letters that are open, or all, the latest first."""
    found = await letters.open_letters(call, closed=call.query.closed)
    rows = [letters.told(call, one) for one in found[: -LATEST - 1 : -1]]
    return page(call, "letters.html", rows=rows, total=len(found), closed=call.query.closed)


async def _then(handler: Handler, call: Call) -> web.StreamResponse:
    await handler(call)
    return back_to(PLACE)


def _form(what: str, handler: Handler, summary: str, body: type[Frozen]) -> Route:
    path = f"{PLACE}/{{number:[0-9]+}}/{what}"
    return Route("POST", path, partial(_then, handler), DECIDING, Scope.TASKS, summary, body=body, page=True)


ROUTES = (
    Route("GET", PLACE, board, LOOKING, Scope.TASKS, "Dead letters", query=Shown, page=True),
    _form("replay", letters.replay, "Give an event to its role again", Why),
    _form("discard", letters.discard, "Discard a dead letter", letters.Discarded),
)
