"""The gateway's routes: is it alive, is it ready, how is every component.

Errors are problem details (RFC 9457).
"""

from collections.abc import Awaitable, Callable

import orjson
import structlog
from aiohttp import web

from schemas.base import Frozen
from services.gateway.health import Asker, State, health, ready

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
JSON = "application/json"
PROBLEM = "application/problem+json"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
ASKER = web.AppKey("asker", Asker)

log = structlog.get_logger()


class ProblemDetails(Frozen):
    """Why a request was not answered, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str


def application(asker: Asker) -> web.Application:
    """Return the application; `asker` reaches the components."""
    app = web.Application(middlewares=[explained])
    app[ASKER] = asker
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/api/health", component_health)]
    )
    return app


async def livez(_: web.Request) -> web.Response:
    """Answer that this process runs."""
    return _json({"state": State.OK})


async def readyz(request: web.Request) -> web.Response:
    """Answer 200 when requests can be served, 503 when the log or the views are away."""
    found = await ready(request.app[ASKER])
    return _json(found, 503 if found.state is State.FAILED else 200)


async def component_health(request: web.Request) -> web.Response:
    """Answer how each component is: 200, or 503 when one that counts is down."""
    found = await health(request.app[ASKER])
    return _json(found, 503 if found.state is State.FAILED else 200)


@web.middleware
async def explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        response = _problem(request, refused.status, refused.reason, _hint(refused))
        if "Allow" in refused.headers:
            response.headers["Allow"] = refused.headers["Allow"]
    except Exception:
        log.exception("request failed", path=request.path)
        response = _problem(request, 500, "Internal Server Error", "It is in the log: aps logs --level error")
    response.headers.update(HEADERS)
    return response


def _hint(refused: web.HTTPException) -> str:
    match refused.status:
        case 404:
            return "There is /livez, /readyz and /api/health."
        case 405:
            return f"Allowed here: {refused.headers.get('Allow', 'nothing')}."
        case _:
            return refused.text or refused.reason


def _problem(request: web.Request, status: int, title: str, detail: str) -> web.Response:
    problem = ProblemDetails(title=title, status=status, detail=detail, instance=request.path)
    return _json(problem, status, PROBLEM)


def _json(value: Frozen | dict[str, State], status: int = 200, kind: str = JSON) -> web.Response:
    plain = value.model_dump(mode="json") if isinstance(value, Frozen) else value
    return web.Response(body=orjson.dumps(plain), status=status, content_type=kind)
