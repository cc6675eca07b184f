"""The parts of pages that a narrowed token may not see: what the API answers in another scope than theirs.

A part stands in the scope of the route that answers the same to programs, and of nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.gateway.api import letters, log, reading
from services.gateway.http.route import Call

OVERVIEW = "/"
IMPROVEMENT = "/ai/improvements/{id}"
CALL = "/ai/runs/{id}"
METRICS = "/ai/metrics"
SETTINGS = "/ai/settings"


@dataclass(frozen=True)
class Part:
    """One part: the path of its page, the id of its heading there, the path that answers it to programs."""

    page: str
    id: str
    api: str


PARTS = (
    Part(OVERVIEW, "applied", "/api/dead-letters"),
    Part(OVERVIEW, "waiting", "/api/improvements"),
    Part(OVERVIEW, "flight", "/api/tasks"),
    Part(OVERVIEW, "targets", "/api/targets"),
    Part(OVERVIEW, "spend", "/api/budgets"),
    Part(OVERVIEW, "latest", "/api/improvements"),
    Part(IMPROVEMENT, "calls", "/api/runs"),
    Part(IMPROVEMENT, "deployments", "/api/deployments"),
    Part(IMPROVEMENT, "raw", "/api/events"),
    Part(CALL, "suspicions", "/api/events"),
    Part(CALL, "happened", "/api/events"),
    Part(METRICS, "choice", "/api/targets"),
    Part(METRICS, "deployments", "/api/deployments"),
    Part(SETTINGS, "budgets", "/api/budgets"),
)
ANSWERING = {
    route.path: route for route in (*reading.ROUTES, *letters.ROUTES, *log.ROUTES) if route.method == "GET"
}


def withheld(call: Call) -> Mapping[str, str]:
    """Return each part of the page that is asked for, with the scope it wants of a token that lacks it."""
    resource = call.request.match_info.route.resource
    path = resource.canonical if resource else ""
    return {part.id: _lacking(call, part) for part in PARTS if part.page == path}


def _lacking(call: Call, part: Part) -> str:
    answering = ANSWERING[part.api]
    let_in = call.holder is not None and call.holder.may(answering.roles, answering.scope)
    return "" if let_in else answering.scope
