"""The way in and out for people: a token becomes a session, kept in a cookie.

Rules
1. Nobody is let in, or shut out, by a page of another site: what it sends is refused.
2. A link made by `aps up` is used up by entering with it, and by nothing that only looks ahead: no HEAD, and
   no browser that loads what may be opened next.
3. A session that was left is worth nothing, whoever has a copy of its cookie.
4. Every token that lets nobody in is told as a denial.
5. Entering leads on to a page of ours that is no way in or out: who enters is not made somebody else by it.
"""

from contextlib import suppress
from http import HTTPStatus
from posixpath import normpath
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import uuid4

from aiohttp import web
from pydantic import Field

from events.fact import Rejected
from schemas.access import Scope
from schemas.base import Frozen
from services.access import tokens
from services.access.sessions import COOKIE, LIFETIME
from services.access.tokens import Holder, LinkUsed, NotLetIn, holder_of
from services.gateway.http.problems import Problem
from services.gateway.http.route import ANYBODY, LOOKING, Call, Route
from services.gateway.pages.rendering import home, page

ENTER = "/enter"
WAYS = ("enter", "leave")
ANOTHER_WAY = "Make a token with aps token create --role admin, and enter it here."


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
    if call.query.token and call.request.method != "HEAD":
        _refuse_ahead(call)
        await _refuse_foreign(call)
        return await _let_in(call, call.query.token, call.query.then)
    return _form(call, call.query.then)


async def entered(call: Call) -> web.StreamResponse:
    """Let in who gives a token."""
    await _refuse_foreign(call)
    return await _let_in(call, call.body.token.strip(), call.body.then)


async def leave(call: Call) -> web.StreamResponse:
    """End the session, in this browser and wherever else its cookie is."""
    session = call.desk.signer.read(call.request.cookies.get(COOKIE, ""), call.desk.book.clock())
    if session is not None:
        with suppress(Rejected):  # sent twice at once, and the other was faster
            await tokens.leave(call.desk.book, session, call.desk.cause(call.holder, str(uuid4())))
    response = _to(ENTER)
    response.del_cookie(COOKIE)
    return response


async def _let_in(call: Call, token: str, then: str) -> web.StreamResponse:
    try:
        holder = await holder_of(call.desk.book, token)
        id = await _session_of(call, holder)
    except NotLetIn as refused:
        await call.desk.denials.tell(call.request, refused.id, str(refused))
        wrong = f"{refused}. {ANOTHER_WAY}" if isinstance(refused, LinkUsed) else str(refused)
        response = _form(call, then, wrong)
        response.set_status(HTTPStatus.UNAUTHORIZED)
        return response
    response = _to(home(holder) if then == "/" and not holder.only_enters else _ours(then))
    response.set_cookie(
        COOKIE,
        call.desk.signer.open(id, call.desk.book.clock()),
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        secure=call.request.secure,
        samesite="Lax",
        path="/",
    )
    return response


async def _session_of(call: Call, holder: Holder) -> str:
    """Return the id of the token that the session stands for. Raises `NotLetIn`."""
    if holder.role not in LOOKING:
        why = f"a token of an {holder.role} is for programs: it opens no page"
        await call.desk.denials.tell(call.request, holder.id, why)
        raise Problem(HTTPStatus.FORBIDDEN, why)
    if holder.only_enters:
        return await tokens.use_link(call.desk.book, holder.id, call.desk.cause(holder, str(uuid4())))
    return holder.id


def _form(call: Call, then: str, wrong: str = "") -> web.Response:
    response = page(call, "enter.html", then=_ours(then), wrong=wrong)
    # Without it, browsers that send no Sec-Fetch-Site send an Origin of null with the form.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


async def _refuse_foreign(call: Call) -> None:
    """Refuse what a page of another site sends: who clicks there would look on as whom it chose."""
    headers = call.request.headers
    if site := headers.get("Sec-Fetch-Site"):
        ours = site in ("none", "same-origin")
    else:
        origin = headers.get("Origin")
        ours = origin is None or origin.partition("://")[2] == call.request.host
    if not ours:
        await call.desk.denials.tell(call.request, "", "another site sent it")
        raise Problem(HTTPStatus.FORBIDDEN, "another site sent this; open /enter here, and enter the token")


def _refuse_ahead(call: Call) -> None:
    """Refuse a browser that loads a link before anybody opens it; it asks again when somebody does."""
    purposes = (call.request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    if any("prefetch" in one.lower() or "prerender" in one.lower() for one in purposes):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "a way in is not loaded ahead; open it")


def _ours(path: str) -> str:
    """Return a path of this gateway that is no way in or out: nobody is sent elsewhere by a link."""
    local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    plain = unquote(path.partition("?")[0].partition("#")[0]).replace("\\", "/")  # as a browser reads it
    return path if local and normpath(plain).lstrip("/") not in WAYS else "/"


def _to(path: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


ROUTES = (
    Route("GET", ENTER, enter, ANYBODY, Scope.SYSTEM, "The way in", query=Way, page=True),
    Route("POST", ENTER, entered, ANYBODY, Scope.SYSTEM, "Enter with a token", body=Entry, page=True),
    Route("POST", "/leave", leave, LOOKING, tokens.ANY_SCOPE, "Leave", body=Frozen, page=True),
)
