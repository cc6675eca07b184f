"""The gateway's application: the table of all routes, and what holds for every answer."""

from functools import cache, partial
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from schemas.access import Scope
from services.access.tokens import Holder
from services.gateway.api import agents, deciding, health, letting_in, reading, requesting, swarm
from services.gateway.api import letters as letters_api
from services.gateway.api import log as log_api
from services.gateway.api import work as work_api
from services.gateway.desk import GatewayDesk
from services.gateway.http.answering import Answer, Answering
from services.gateway.http.bodies import MOST_BYTES
from services.gateway.http.openapi import document
from services.gateway.http.policy import HEADERS
from services.gateway.http.problems import Problem, problem_response
from services.gateway.http.route import ANYBODY, LOOKING, Call, Reply, Route
from services.gateway.http.unread import NOTHING_HERE
from services.gateway.live import stream
from services.gateway.live.closing import close_streams_with
from services.gateway.metering import routes as metering
from services.gateway.metering.traffic import counting
from services.gateway.pages import (
    assets,
    changes,
    describing,
    dossier,
    entering,
    governing,
    improvements,
    measures,
    overview,
    runs,
    work,
)
from services.gateway.pages import letters as letters_page
from services.gateway.pages.rendering import home, problem_page
from services.gateway.webhooks import routes as webhooks
from services.runtime.version import own_version

NO_PAGE = "There is no such page."
ENCRYPTED_ALWAYS = "max-age=31536000"


async def openapi(_: Call) -> Reply:
    """Answer the description of everything that is no page."""
    return Reply(_document())


async def api(call: Call) -> web.StreamResponse:
    """Show the same to people."""
    return describing.described(call, _document())


@cache
def _document() -> dict[str, Any]:
    return document(ROUTES, own_version())


ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *reading.ROUTES,
    *deciding.ROUTES,
    *swarm.ROUTES,
    *requesting.ROUTES,
    *letters_api.ROUTES,
    *agents.ROUTES,
    *work_api.ROUTES,
    *letting_in.ROUTES,
    *metering.ROUTES,
    *log_api.ROUTES,
    *webhooks.ROUTES,
    *stream.ROUTES,
    *entering.ROUTES,
    *assets.ROUTES,
    *overview.ROUTES,
    *improvements.ROUTES,
    *dossier.ROUTES,
    *runs.ROUTES,
    *changes.ROUTES,
    *work.ROUTES,
    *letters_page.ROUTES,
    *measures.ROUTES,
    *governing.ROUTES,
    Route(
        "GET",
        "/api/openapi.json",
        openapi,
        ANYBODY,
        Scope.SYSTEM,
        "Describe this API",
        answers={HTTPStatus.OK: dict[str, object]},
    ),
    Route("GET", "/api", api, LOOKING, Scope.SYSTEM, "The API, to be read", page=True),
)


def application(desk: GatewayDesk) -> web.Application:
    """Return the application that serves every route at `desk`."""
    answering = Answering(desk, partial(_refuse, desk))
    app = web.Application(
        middlewares=[counting(desk.metering.traffic), _explaining(desk, answering)],
        client_max_size=MOST_BYTES,
    )
    for route in ROUTES:
        answered = answering.answer(route)
        app.router.add_route(route.method, route.path, answered)
        if route.method == "GET" and route.media_type != stream.MEDIA_TYPE:  # a stream has no end
            app.router.add_route("HEAD", route.path, answered)
    app.on_response_prepare.append(_protect)
    close_streams_with(app)
    return app


def _refuse(
    desk: GatewayDesk, problem: Problem, request: web.Request, route: Route, holder: Holder | None
) -> web.StreamResponse:
    """Answer with a problem: programs as JSON, people as a page, and who has to enter with the way in.

    Who may not see the first page is led to the first of those they may see.
    """
    if not route.page or route.media_type == stream.MEDIA_TYPE:
        return problem_response(problem, request.path)
    if problem.status is HTTPStatus.UNAUTHORIZED and request.method in ("GET", "HEAD"):
        way = entering.way_in(str(request.rel_url))
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": way})
    first = home(holder)
    if problem.status is HTTPStatus.FORBIDDEN and request.path == "/" and first != "/":
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": first})
    return problem_page(problem, desk, request, holder)


def _explaining(desk: GatewayDesk, answering: Answering) -> Middleware:
    @web.middleware
    async def explained(request: web.Request, handler: Answer) -> web.StreamResponse:
        """Turn what no route answers into problem details."""
        try:
            return await handler(request)
        except web.HTTPException as refused:
            problem = Problem(HTTPStatus(refused.status), _hint(refused))
            if "Allow" in refused.headers:
                problem.headers["Allow"] = refused.headers["Allow"]
            if problem.status is HTTPStatus.NOT_FOUND and _is_read(request):
                missing = Problem(HTTPStatus.NOT_FOUND, NO_PAGE)
                return problem_page(missing, desk, request, answering.remembered(request))
            return problem_response(problem, request.path)

    return explained


def _is_read(request: web.Request) -> bool:
    """Whether a person asks for a page, and not a program for what the API has."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def _hint(refused: web.HTTPException) -> str:
    match refused.status:
        case HTTPStatus.NOT_FOUND:
            return NOTHING_HERE
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"Allowed here: {refused.headers.get('Allow', 'nothing')}."
        case _:
            return refused.text or refused.reason


async def _protect(request: web.Request, response: web.StreamResponse) -> None:
    if request.secure:
        response.headers["Strict-Transport-Security"] = ENCRYPTED_ALWAYS
    response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
    response.headers["Server"] = "aps"
    response.headers.setdefault("Cache-Control", "no-cache" if "ETag" in response.headers else "no-store")
