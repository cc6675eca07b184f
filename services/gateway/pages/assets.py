"""The style and the few lines of script that pages use, served from this package."""

import hashlib
from functools import cache
from http import HTTPStatus

from aiohttp import web

from schemas.access import Scope
from services.gateway.http.problems import Problem
from services.gateway.http.route import ANYBODY, Call, Route
from services.gateway.pages.rendering import FOLDER

KINDS = {"aps.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def asset(call: Call) -> web.StreamResponse:
    """Answer a file; its ETag is its content's."""
    name = call.named("name")
    if name not in KINDS:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no file {name[:60]!r}")
    body, tag = _content(name)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in call.request.headers.get("If-None-Match", ""):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, content_type=KINDS[name], charset="utf-8", headers=headers)


@cache
def _content(name: str) -> tuple[bytes, str]:
    body = (FOLDER / "static" / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


ROUTES = (Route("GET", "/static/{name}", asset, ANYBODY, Scope.SYSTEM, "Style and script", page=True),)
