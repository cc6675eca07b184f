"""Answers a request by its route: who sends it, what it gives, what is answered, whether that is news.

Rules
1. Broken or unfit input is 400 or 422 and names each field; nothing of it reaches a handler.
2. What a conditional route answers has the views' position as its ETag: unchanged is 304, nothing is made.
   What was made at a position is kept, and given to whoever asks for the same. A page is the same for one
   session alone, as its forms are; a moment named by how long ago it was is another with every question.
3. A decision that is refused because of how things stand is told on the log, as a denial to who made it.
4. What is away is 503 and named; what nobody foresaw is 500, and whole in the log.
"""

import hashlib
import json
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from traceback import walk_tb
from typing import Any

import asyncpg
import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from events.fact import Rejected
from events.store import Broken, Conflict, Denied, Unavailable
from services.access.sessions import COOKIE
from services.access.tokens import Holder
from services.gateway.desk import GatewayDesk
from services.gateway.http.bodies import form, whole
from services.gateway.http.guard import SAFE, Guard
from services.gateway.http.policy import PAGE_POLICY
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, Call, Nothing, Reply, Route
from services.runtime.moments import is_relative
from services.runtime.tracing import HEADER, span
from services.runtime.version import own_version

JSON = "application/json"
KEPT = 256
KEPT_BYTES = 1 << 20
RETRY_SECONDS = "2"

log = structlog.get_logger()
Refuse = Callable[[Problem, web.Request, Route, Holder | None], web.StreamResponse]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class _Made:
    body: bytes
    content_type: str


class Answering:
    """Makes handlers of routes for one gateway."""

    def __init__(self, desk: GatewayDesk, refuse: Refuse) -> None:
        """Keep nothing yet. `refuse` answers with a problem as the route answers: a page to whom, or JSON."""
        self._desk = desk
        self._refuse = refuse
        self._guard = Guard(desk)
        self._version = own_version()
        self._kept: OrderedDict[tuple[str, str], _Made] = OrderedDict()

    def remembered(self, request: web.Request) -> Holder | None:
        """Return whose session a request comes in; see the guard."""
        return self._guard.remembered(request)

    def answer(self, route: Route) -> Answer:
        """Return the handler of a route; it never raises but to be cancelled."""

        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                with span(f"{route.method} {route.path}", request.headers.get(HEADER, ""), (Problem,)):
                    return await self._answered(route, request)
            except Exception as problem:  # noqa: BLE001 -- the boundary: each kind has its status
                return self._refuse(_problem(problem, request), request, route, self.remembered(request))

        return answered

    async def _answered(self, route: Route, request: web.Request) -> web.StreamResponse:
        holder = await self._guard.admit(route, request)
        query = _query(route, request)
        if route.conditional and not is_relative(str(getattr(query, "at", ""))):
            return await self._conditional(route, request, holder, query)
        body = await _body(route, request)
        try:
            return _response(await route.handler(Call(request, self._desk, holder, query, body)))
        except (Rejected, Conflict, Problem) as refused:
            if route.roles == DECIDING and _problem(refused, request).status is HTTPStatus.CONFLICT:
                await self._guard.tell_refused(request, holder, str(refused))
            raise

    async def _conditional(
        self, route: Route, request: web.Request, holder: Holder | None, query: Any
    ) -> web.StreamResponse:
        at = await self._desk.views.checkpoint()
        looker = self._looker(route, request, holder)
        tag = f'W/"{at.seq}-{at.hash[:8]}-{looker}"'
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag, **_policy(route)})
        key = (str(request.rel_url), tag)
        made = self._kept.get(key)
        if made is None:
            response = _response(await route.handler(Call(request, self._desk, holder, query, None)))
            is_same = looker == self._looker(route, request, holder)
            if response.status != HTTPStatus.OK or not is_same or not isinstance(response, web.Response):
                return response
            made = _Made(bytes(response.body or b""), response.content_type)  # type: ignore[arg-type]  # pages and JSON are bytes here, never a stream
            self._keep(key, made)
        headers = {"ETag": tag, **_policy(route)}
        return web.Response(body=made.body, content_type=made.content_type, charset="utf-8", headers=headers)

    def _looker(self, route: Route, request: web.Request, holder: Holder | None) -> str:
        """Return for whom an answer is the same: all of a role, of a page one session of this program's."""
        role = holder.role.value if holder else ""
        if not route.page:
            return role
        seen_as = f"{holder.id if holder else ''} {request.cookies.get(COOKIE, '')}"
        mine = f"{self._version} {seen_as} {self._desk.log_away}"  # which a page tells, and is drawn by
        return f"{role}-{hashlib.sha256(mine.encode()).hexdigest()[:16]}"

    def _keep(self, key: tuple[str, str], made: _Made) -> None:
        if len(made.body) <= KEPT_BYTES:
            self._kept[key] = made
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _policy(route: Route) -> dict[str, str]:
    """Return the policy of a page; a browser takes that of a 304 for that of what it has kept."""
    return {"Content-Security-Policy": PAGE_POLICY} if route.page else {}


def _query(route: Route, request: web.Request) -> Any:
    if route.query is Nothing and not request.query_string:
        return Nothing()
    return _read(route.query, dict(request.query))


async def _body(route: Route, request: web.Request) -> Any:
    if route.body is None or request.method in SAFE:
        return Nothing()
    if request.content_type == "application/x-www-form-urlencoded" and route.page:
        given = {name: value for name, value in (await form(request)).items() if name != "form_key"}
        return _read(route.body, given)
    if request.content_type != JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON}, not {request.content_type[:60]}")
    return _read(route.body, _json(await whole(request)))


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw or b"{}")
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {problem}") from problem
    except RecursionError as problem:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is nested deeper than is read") from problem
    except ValueError as problem:  # the one thing left that JSON allows and Python does not read
        told = (
            f"a number in the body has more than {sys.get_int_max_str_digits()} digits: no field takes such"
        )
        raise Problem(HTTPStatus.BAD_REQUEST, told) from problem


def _read(model: type[BaseModel], given: Any) -> Any:
    try:
        return model.model_validate_json(orjson.dumps(given))
    except orjson.JSONEncodeError as unfit:
        told = f"what was given cannot be kept as JSON: {unfit}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told) from unfit
    except ValidationError as wrong:
        errors = tuple(
            f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}"[:300] for one in wrong.errors()
        )
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "what was given does not fit; see errors", errors=errors[:20]
        ) from wrong


def _response(answer: Reply | web.StreamResponse) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    return web.Response(
        body=orjson.dumps(answer.value, default=_plain, option=orjson.OPT_UTC_Z),
        status=answer.status,
        content_type=JSON,
        headers=dict(answer.headers),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not answered as JSON")


def _problem(problem: Exception, request: web.Request) -> Problem:
    again = {"Retry-After": RETRY_SECONDS}
    match problem:
        case Problem():
            return problem
        case web.HTTPException():
            return Problem(HTTPStatus(problem.status), problem.text or problem.reason)
        case Rejected() | Conflict():
            return Problem(HTTPStatus.CONFLICT, str(problem))
        case Unavailable() | Broken() | Denied():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"NATS: {problem}", headers=again)
        case asyncpg.DataError():  # a NUL, or a number beyond what a column holds
            return Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"what was asked for cannot be looked up: {problem}"
            )
        case asyncpg.PostgresError() | asyncpg.InterfaceError() | OSError() | TimeoutError():
            told = f"{_away(problem)} is away: {str(problem) or type(problem).__name__}"
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, told, headers=again)
        case _:
            log.error("request failed", path=request.path, exc_info=problem)
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "It is in the log: aps logs --level error")


def _away(problem: Exception) -> str:
    """Return which server a failure to reach one is of, by the library it came through."""
    if isinstance(problem, asyncpg.PostgresError | asyncpg.InterfaceError):
        return "PostgreSQL"
    through = {
        frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in walk_tb(problem.__traceback__)
    }
    return next((name for library, name in AWAY.items() if library in through), "PostgreSQL or NATS")


AWAY = {"asyncpg": "PostgreSQL", "nats": "NATS"}
