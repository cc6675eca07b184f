"""Renders pages. Whatever is shown is shown as text: escaped, and with escapes for what cannot be seen."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.access import Role, Scope
from services.access.sessions import COOKIE
from services.access.tokens import ANY_SCOPE, Holder
from services.cycle.text import plain_block, plain_text
from services.gateway.desk import GatewayDesk
from services.gateway.http.policy import PAGE_POLICY
from services.gateway.http.problems import Problem
from services.gateway.http.route import GOVERNING, LOOKING, Call
from services.gateway.pages.parts import withheld

FOLDER = Path(__file__).parent
HTML = "text/html"


class Way(NamedTuple):
    """A page that is linked to for who may see it."""

    path: str
    name: str
    scope: Scope
    roles: frozenset[Role] = LOOKING


PLACES = (
    Way("/", "Overview", Scope.SYSTEM),
    Way("/ai/improvements", "Improvements", Scope.IMPROVEMENTS),
    Way("/ai/tasks", "Tasks", Scope.TASKS),
    Way("/ai/metrics", "Metrics", Scope.METRICS),
    Way("/ai/deployments", "Deployments", Scope.DEPLOYMENTS),
    Way("/ai/dead-letters", "Dead letters", Scope.TASKS),
    Way("/ai/audit", "Audit", Scope.LOG),
    Way("/ai/system", "System", Scope.SYSTEM),
    Way("/ai/settings", "Settings", Scope.ACCESS, GOVERNING),
    Way("/api", "API", Scope.SYSTEM),
)
DECIDERS = (Role.OPERATOR, Role.ADMIN)


def page(call: Call, template: str, **values: Any) -> web.Response:
    """Return a page for whoever sends the request."""
    return _response(template, HTTPStatus.OK, {**_of(call), **values})


def places(holder: Holder | None) -> list[Way]:
    """Return the pages that somebody may see, in the order of their importance."""
    return [way for way in PLACES if holder is not None and holder.may(way.roles, way.scope)]


def home(holder: Holder | None) -> str:
    """Return the first page that somebody may see; the overview is that of who may see none."""
    return next((way.path for way in places(holder)), "/")


def problem_page(
    problem: Problem, desk: GatewayDesk, request: web.Request, holder: Holder | None
) -> web.Response:
    """Return why a page is not shown, with the ways to others for who has entered."""
    around = {**_around(desk, request, holder), "at": "", "away": ""}
    values = {**around, "live": False, "may_decide": False, "problem": problem}
    response = _response("problem.html", problem.status, values)
    response.headers.update(problem.headers)
    return response


def _of(call: Call) -> Mapping[str, Any]:
    at = str(getattr(call.query, "at", ""))
    return {
        **_around(call.desk, call.request, call.holder),
        "at": at,
        "away": call.desk.log_away,
        "live": not at and call.holder is not None and call.holder.may(LOOKING, ANY_SCOPE),
        "wants": withheld(call),
        "may_decide": not at and call.holder is not None and call.holder.role in DECIDERS,
    }


def _around(desk: GatewayDesk, request: web.Request, holder: Holder | None) -> Mapping[str, Any]:
    """Return what every page has around its content."""
    return {
        "holder": holder,
        "form_key": form_key(desk, request),
        "path": request.path,
        "places": places(holder),
        "home": home(holder),
    }


def form_key(desk: GatewayDesk, request: web.Request) -> str:
    """Return what the forms of a session carry; empty where the request is in none."""
    session = desk.signer.read(request.cookies.get(COOKIE, ""), desk.book.clock())
    return desk.signer.form_key(session) if session else ""


def _response(template: str, status: HTTPStatus, values: Mapping[str, Any]) -> web.Response:
    text = _templates().get_template(template).render(**values)
    return web.Response(
        text=text, status=status, content_type=HTML, headers={"Content-Security-Policy": PAGE_POLICY}
    )


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {"block": _block, "moment": _moment, "words": _words, "dollars": _dollars}
    return made


def _shown(value: object) -> object:
    return plain_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _block(text: str) -> Markup:
    return escape(plain_block(text))


def _moment(time: datetime) -> Markup:
    """Return a time as people read it, with the whole of it for machines."""
    return Markup('<time datetime="{}">{}</time>').format(
        time.isoformat(timespec="seconds"), f"{time:%Y-%m-%d %H:%M:%S}"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _dollars(micros: int) -> str:
    return f"${micros / 1_000_000:.2f}"
