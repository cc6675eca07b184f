"""The way in and out for people: a token becomes a session, kept in a cookie."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from schemas.access import Scope
from schemas.base import Frozen
from services.access.sessions import COOKIE, LIFETIME
from services.access.tokens import NotLetIn, holder_of
from services.gateway.http.problems import Problem
from services.gateway.http.route import ANYBODY, LOOKING, Call, Route
from services.gateway.pages.rendering import page

ENTER = "/enter"


class Way(Frozen):
    """Where to go after entering; `token` is what a link made by `aps up` carries."""

    then: Annotated[str, Field(max_length=2000)] = "/"
    token: Annotated[str, Field(max_length=200)] = ""


class Entry(Frozen):
    """What the form sends."""

    token: Annotated[str, Field(max_length=200)]
    then: Annotated[str, Field(max_length=2000)] = "/"


def way_in(path: str) -> str:
    """Return where to enter, and come back to `path`."""
    return f"{ENTER}?then={quote(path, safe='')}"


async def enter(call: Call) -> web.StreamResponse:
    """Show the form, or let in whom a link names."""
    if call.query.token:
        return await _let_in(call, call.query.token, call.query.then)
    return page(call, "enter.html", then=_ours(call.query.then), wrong="")


async def entered(call: Call) -> web.StreamResponse:
    """Let in who gives a token."""
    return await _let_in(call, call.body.token.strip(), call.body.then)


async def leave(call: Call) -> web.StreamResponse:
    """End the session in this browser."""
    response = _to(ENTER)
    response.del_cookie(COOKIE)
    return response


async def _let_in(call: Call, token: str, then: str) -> web.StreamResponse:
    try:
        holder = await holder_of(call.desk.book, token)
    except NotLetIn as refused:
        return page(call, "enter.html", then=_ours(then), wrong=str(refused))
    if holder.role not in LOOKING:
        raise Problem(HTTPStatus.FORBIDDEN, f"a token of an {holder.role} is for programs: it opens no page")
    response = _to(_ours(then))
    response.set_cookie(
        COOKIE,
        call.desk.signer.open(holder.id, call.desk.book.clock()),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        secure=call.request.secure,
        samesite="Lax",
        path="/",
    )
    return response


def _ours(path: str) -> str:
    """Return a path of this gateway: nobody is sent elsewhere by a link."""
    local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if local and path.isprintable() else "/"


def _to(path: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


ROUTES = (
    Route("GET", ENTER, enter, ANYBODY, Scope.SYSTEM, "The way in", query=Way, page=True),
    Route("POST", ENTER, entered, ANYBODY, Scope.SYSTEM, "Enter with a token", body=Entry, page=True),
    Route("POST", "/leave", leave, LOOKING, Scope.SYSTEM, "Leave", body=Frozen, page=True),
)
