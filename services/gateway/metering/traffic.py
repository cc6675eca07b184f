"""Counts the requests of one gateway by route and status: as routes are declared, never as they are asked."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

NO_ROUTE = "none"
BROKEN_OFF = 499  # as proxies write it: whoever asked has gone


@dataclass(frozen=True, order=True)
class Kind:
    """Requests that are alike."""

    method: str
    route: str
    status: int


class Traffic:
    """What was answered since the gateway began, and how long that took."""

    def __init__(self) -> None:
        """Nothing was answered yet."""
        self._counts: dict[Kind, int] = defaultdict(int)
        self._seconds: dict[Kind, float] = defaultdict(float)

    @property
    def counts(self) -> Mapping[Kind, int]:
        """How many requests of each kind."""
        return self._counts

    @property
    def seconds(self) -> Mapping[Kind, float]:
        """How long those took together."""
        return self._seconds

    def add(self, kind: Kind, seconds: float) -> None:
        """Take in one request."""
        self._counts[kind] += 1
        self._seconds[kind] += seconds


def counting(traffic: Traffic) -> Middleware:
    """Return what counts every request of an application; to be the first of its middlewares."""

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        status = BROKEN_OFF
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            traffic.add(_kind(request, status), time.monotonic() - began)

    return counted


def _kind(request: web.Request, status: int) -> Kind:
    resource = request.match_info.route.resource
    if resource is None:
        return Kind("other", NO_ROUTE, status)
    return Kind(request.method, resource.canonical, status)
