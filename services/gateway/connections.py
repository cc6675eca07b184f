"""The connections of the gateway: what comes on them and is no request is answered as everything else is."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web

from services.gateway.http.access_log import AccessLine
from services.gateway.http.policy import HEADERS
from services.gateway.http.problems import Problem, problem_response
from services.gateway.http.unread import LONGEST_PATH, begun, unread

CLOSING_SECONDS = 2.0
LONGEST_LINE = 4096  # of a first line, as far as it is looked at

log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One connection. It keeps the last piece that came, to say of what is no request what it was."""

    __slots__ = ("_app", "_came")

    def __init__(self, manager: "Connections", **given: Any) -> None:
        """Nothing came yet."""
        super().__init__(manager, **given)
        self._app = manager.app
        self._came = b""

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        if data:
            self._came = data[:LONGEST_LINE]
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what was no request, or what failed outside every route; then the connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionError("it failed when an answer had begun already")
        first = begun(self._came)
        if status == HTTPStatus.BAD_REQUEST:
            problem = unread(exc, first, self._allowed)
            log.info(
                "no request", address=request.remote, status=problem.status.value, problem=problem.detail
            )
        else:
            problem = Problem(HTTPStatus(status), "It is in the log: aps logs --level error")
            log.error("request failed", path=request.path, exc_info=exc)
        response = problem_response(problem, first.path[:LONGEST_PATH] or request.path)
        response.headers.update({**HEADERS, "Server": "aps", "Cache-Control": "no-store"})
        response.force_close()
        return response

    def _allowed(self, path: str) -> Sequence[str]:
        """Return the methods that a path takes; none where nothing is there."""
        found: set[str] = set()
        for resource in self._app.router.resources():
            info = resource.get_info()
            pattern = info.get("pattern")
            if info.get("path") == path or (pattern is not None and pattern.fullmatch(path)):
                found |= {route.method for route in resource}
        return sorted(found)


class Connections(web.Server):
    """All connections of one gateway."""

    def __init__(self, app: web.Application, made: web.Server, idle_seconds: float) -> None:
        """Hand what comes to an application as `made`, the usual server, would."""

        async def handled(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await made.request_handler(request)
            except web.HTTPException as refused:  # of aiohttp, before a route was asked
                return problem_response(Problem(HTTPStatus(refused.status), refused.reason), request.path)

        super().__init__(handled, request_factory=made.request_factory)
        self.app = app
        self._given = {"keepalive_timeout": idle_seconds, "access_log_class": AccessLine}

    def __call__(self) -> Connection:
        """Return what takes one connection."""
        return Connection(self, loop=self._loop, **self._given)


class GatewayRunner(web.AppRunner):
    """Serves an application on connections of the gateway's own kind."""

    __slots__ = ("_idle_seconds",)

    def __init__(self, app: web.Application, idle_seconds: float) -> None:
        """End a connection on which no whole request comes in a time."""
        super().__init__(app, shutdown_timeout=CLOSING_SECONDS)
        self._idle_seconds = idle_seconds

    async def _make_server(self) -> web.Server:
        # aiohttp has no public place for another protocol; what it makes is asked for its two public parts.
        return Connections(self.app, await super()._make_server(), self._idle_seconds)
