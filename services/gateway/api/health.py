"""Is it alive, is it ready, how is every component: open to whoever watches, as no secret is told."""

from http import HTTPStatus

from schemas.access import Scope
from schemas.base import Frozen
from services.gateway import health
from services.gateway.health import Health, State
from services.gateway.http.route import ANYBODY, Call, Reply, Route

OK, AWAY = HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE


class Alive(Frozen):
    """The process runs."""

    state: State = State.OK


async def livez(_: Call) -> Reply:
    """Answer that this process runs."""
    return Reply(Alive())


async def readyz(call: Call) -> Reply:
    """Answer 200 when requests can be served, 503 when the log or the views are away."""
    return _told(await health.ready(call.desk.asker))


async def components(call: Call) -> Reply:
    """Answer how each component is: 200, or 503 when one that counts is down."""
    return _told(await health.health(call.desk.asker))


def _told(found: Health) -> Reply:
    return Reply(found, AWAY if found.state is State.FAILED else OK)


BOTH = {OK: Health, AWAY: Health}
ROUTES = (
    Route(
        "GET",
        "/livez",
        livez,
        ANYBODY,
        Scope.SYSTEM,
        "Say that the gateway runs",
        answers={OK: Alive},
        watched=True,
    ),
    Route(
        "GET", "/readyz", readyz, ANYBODY, Scope.SYSTEM, "Ask what requests need", answers=BOTH, watched=True
    ),
    Route("GET", "/api/health", components, ANYBODY, Scope.SYSTEM, "Ask each component", answers=BOTH),
)
