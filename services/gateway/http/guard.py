"""Finds out who sends a request, and whether they may: what is not allowed is denied, and recorded.

Rules
1. A token comes in the header `Authorization: Bearer`, a session in its cookie. A session changes something
   only with the key of its forms, in the field `form_key` or the header `X-Form-Key`.
2. Where the log is away, a token that was let in within the last minutes is let in still.
3. Who sends too much is refused before anything is looked up or told, as `services.gateway.http.floods` has
   it. Every denial else is told, as `services.gateway.denials` has it.
4. Who signs what they send is found out by that: no token of theirs is looked at.
"""

import hmac
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from events.store import Unavailable
from services.access.sessions import COOKIE, Session
from services.access.tokens import Holder, NotLetIn, holder_in, holder_of
from services.gateway.desk import GatewayDesk
from services.gateway.http.bodies import form
from services.gateway.http.floods import Floods
from services.gateway.http.problems import Problem
from services.gateway.http.route import ANYBODY, Route

LEAVING = ("POST", "/leave")
SAFE = ("GET", "HEAD", "OPTIONS")
FORM_KEY = "form_key"
FORM_HEADER = "X-Form-Key"
REMEMBERED = timedelta(minutes=5)
MOST_KNOWN = 1000
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="aps"'}


class NotOurForm(NotLetIn):
    """A session is good, and what came with it is not from its forms."""


class Guard:
    """Stands before every route of one gateway."""

    def __init__(self, desk: GatewayDesk) -> None:
        """Know nobody yet."""
        self._desk = desk
        self._known: dict[str, tuple[datetime, Holder]] = {}
        self._floods = Floods()

    def remembered(self, request: web.Request) -> Holder | None:
        """Return whose session a request comes in, where that was let in within the last minutes.

        Good for what stands around a refusal, and for nothing that needs a right.
        """
        when, holder = self._known.get(request.cookies.get(COOKIE, ""), (None, None))
        return holder if when is not None and self._desk.book.clock() - when <= REMEMBERED else None

    async def admit(self, route: Route, request: web.Request) -> Holder | None:
        """Return who sends the request, None for nobody. Raises `Problem` where they may not."""
        if route.signed:
            return None
        try:
            holder = await self._limited(route, request)
        except NotLetIn as refused:
            if route.roles is ANYBODY:
                return None
            await self._desk.denials.tell(request, refused.id, str(refused))
            if isinstance(refused, NotOurForm):
                raise Problem(HTTPStatus.FORBIDDEN, STALE) from refused
            raise Problem(HTTPStatus.UNAUTHORIZED, f"{refused}: {HOW}", headers=CHALLENGE) from refused
        if route.roles is ANYBODY:
            return holder
        if holder is None:
            await self._desk.denials.tell(request, "", "no token")
            raise Problem(HTTPStatus.UNAUTHORIZED, f"a token is needed: {HOW}", headers=CHALLENGE)
        if not holder.may(route.roles, route.scope):
            why = _why_not(holder, route)
            await self._desk.denials.tell(request, holder.id, why)
            raise Problem(HTTPStatus.FORBIDDEN, why)
        return holder

    async def _limited(self, route: Route, request: web.Request) -> Holder | None:
        """Return who sends it, unless they send too much. Raises `NotLetIn`, `Problem`."""
        known = self._is_known(request)
        if not known:
            self._floods.count_place(route, request)
        try:
            holder = await self._holder(request)
        except NotLetIn:
            if known:
                self._floods.count_place(route, request)
            raise
        if holder is not None:
            if not known:
                self._floods.forgive_place(route, request)
            self._floods.count_holder(route, holder)
        return holder

    def _is_known(self, request: web.Request) -> bool:
        """Whether what the request carries was let in within the last minutes."""
        text = request.headers.get("Authorization", "").partition(" ")[2].strip()
        when, _ = self._known.get(text or request.cookies.get(COOKIE, ""), (None, None))
        return when is not None and self._desk.book.clock() - when <= REMEMBERED

    async def _holder(self, request: web.Request) -> Holder | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                raise NotLetIn("only Bearer is a way in")
            return await self._seen(text.strip(), None)
        if cookie := request.cookies.get(COOKIE):
            return await self._in_session(request, cookie)
        return None

    async def _in_session(self, request: web.Request, cookie: str) -> Holder:
        session = self._desk.signer.read(cookie, self._desk.book.clock())
        if session is None:
            raise NotLetIn("the session has ended")
        if request.method not in SAFE:
            given = request.headers.get(FORM_HEADER) or await _form_key(request)
            if not hmac.compare_digest(given.encode(), self._desk.signer.form_key(session).encode()):
                raise NotOurForm("the request did not come from a page of ours", session.token)
        holder = await self._seen(cookie, session)
        if (request.method, request.path) == LEAVING:
            self._known.pop(cookie, None)  # what is left is not let in while the log is away either
        return holder

    async def _seen(self, text: str, session: Session | None) -> Holder:
        """Ask the log; while it is away, take the word of a moment ago."""
        now, book = self._desk.book.clock(), self._desk.book
        try:
            if not self._desk.asker.connection.is_connected:  # nobody waits for what is known to be away
                raise Unavailable(AWAY)
            holder = await (holder_of(book, text) if session is None else holder_in(book, session))
        except (Unavailable, TimeoutError):
            when, known = self._known.get(text, (now, None))
            if known is None or now - when > REMEMBERED:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, AWAY) from None
            return known
        except NotLetIn:
            self._known.pop(text, None)
            raise
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[text] = (now, holder)
        return holder

    async def tell_refused(self, request: web.Request, holder: Holder | None, why: str) -> None:
        """Record that a decision was refused to its holder."""
        await self._desk.denials.tell(request, holder.id if holder else "", f"refused: {why}")


AWAY = "NATS is away, and with it what tells who may do what"
STALE = (
    "the form is stale, or was not sent from a page of this session: load the page again, and send it then"
)
HOW = "aps token create --role viewer makes one; send it as Authorization: Bearer, or enter it at /enter"


async def _form_key(request: web.Request) -> str:
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    return (await form(request)).get(FORM_KEY, "")


def _why_not(holder: Holder, route: Route) -> str:
    if holder.role not in route.roles:
        roles = " or ".join(sorted(route.roles))
        return f"the token's role is {holder.role}, and this needs {roles}"
    return f"the token's scopes do not include {route.scope}"
