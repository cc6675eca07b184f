"""Renders pages. Whatever is shown is shown as text: escaped, and with escapes for what cannot be seen."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.access import Role, Scope
from services.access.sessions import COOKIE
from services.cycle.text import plain_block, plain_text
from services.gateway.http.policy import PAGE_POLICY
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, Call
from services.gateway.pages.parts import withheld

FOLDER = Path(__file__).parent
HTML = "text/html"
PLACES = (
    ("/", "Overview"),
    ("/ai/improvements", "Improvements"),
    ("/ai/tasks", "Tasks"),
    ("/ai/metrics", "Metrics"),
    ("/ai/deployments", "Deployments"),
    ("/ai/dead-letters", "Dead letters"),
    ("/ai/audit", "Audit"),
    ("/ai/system", "System"),
    ("/ai/settings", "Settings"),
    ("/api", "API"),
)
LIVE = Scope.IMPROVEMENTS  # that of the stream which tells pages to look again
DECIDERS = (Role.OPERATOR, Role.ADMIN)


def page(call: Call, template: str, **values: Any) -> web.Response:
    """Return a page for whoever sends the request."""
    return _response(template, HTTPStatus.OK, {**_of(call), **values})


def problem_page(problem: Problem, path: str) -> web.Response:
    """Return why a page is not shown; who is not let in is shown the way in."""
    values = {
        "holder": None,
        "form_key": "",
        "path": path,
        "at": "",
        "away": "",
        "live": False,
        "may_decide": False,
    }
    response = _response("problem.html", problem.status, {**values, "problem": problem})
    response.headers.update(problem.headers)
    return response


def _of(call: Call) -> Mapping[str, Any]:
    at = str(getattr(call.query, "at", ""))
    return {
        "holder": call.holder,
        "form_key": form_key(call),
        "path": call.request.path,
        "at": at,
        "away": call.desk.log_away,
        "live": not at and call.holder is not None and call.holder.may(LOOKING, LIVE),
        "wants": withheld(call),
        "may_decide": not at and call.holder is not None and call.holder.role in DECIDERS,
    }


def form_key(call: Call) -> str:
    """Return what the forms of this session carry; empty where the request is in none."""
    desk = call.desk
    session = desk.signer.read(call.request.cookies.get(COOKIE, ""), desk.book.clock())
    return desk.signer.form_key(session) if session else ""


def _response(template: str, status: HTTPStatus, values: Mapping[str, Any]) -> web.Response:
    text = _templates().get_template(template).render(places=PLACES, **values)
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
