"""The connections of the gateway: how many of one address, and what no request is answered."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from services.gateway.http.access_log import AccessLine
from services.gateway.http.guests import Guests
from services.gateway.http.policy import HEADERS
from services.gateway.http.problems import MEDIA_TYPE, Problem, problem_response
from services.gateway.http.unread import LONGEST_PATH, begun, unread

CLOSING_SECONDS = 2.0
RETRY_SECONDS = "2"
LONGEST_LINE = 4096  # of a first line, as far as it is looked at

log = structlog.get_logger()


class Connection(web.RequestHandler):
    """One connection. It keeps the last piece that came, to say of what is no request what it was."""

    __slots__ = ("_app", "_came", "_guests", "_host")

    def __init__(self, manager: "Connections", **given: Any) -> None:
        """Nothing came yet."""
        super().__init__(manager, **given)
        self._app = manager.app
        self._guests = manager.guests
        self._host: str | None = None
        self._came = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve who connects, or say at once that he has too many connections open, and end this one."""
        host = str((transport.get_extra_info("peername") or ("",))[0])
        if self._guests.enter(host):
            self._host = host
            super().connection_made(transport)
            return
        if refused := self._guests.to_tell(host, self._loop.time()):
            log.warning("too many connections", address=host, most=self._guests.most, refused=refused)
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_too_many(self._guests.most))
        transport.close()
        self.force_close()  # nothing that still comes is looked at

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another."""
        if self._host is not None:
            self._guests.leave(self._host)
            self._host = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        if data:
            self._came = data[:LONGEST_LINE]
        super().data_received(data)

    def log_exception(self, *given: Any, **more: Any) -> None:
        """Tell of what went wrong outside every answer; of a broken body quietly, as anybody may send one.

        What is left of a body that no route has read is read away when the answer is sent, and may be broken.
        """
        problem = more.get("exc_info")
        if isinstance(problem, web.RequestPayloadError | HttpProcessingError):
            log.info("a body was broken that nobody read", address=self._host, problem=str(problem)[:200])
            return
        super().log_exception(*given, **more)

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

    def __init__(self, app: web.Application, made: web.Server, idle_seconds: float, most: int) -> None:
        """Hand what comes to an application as `made`, the usual server, would."""

        async def handled(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await made.request_handler(request)
            except web.HTTPException as refused:  # of aiohttp, before a route was asked
                return problem_response(Problem(HTTPStatus(refused.status), refused.reason), request.path)

        super().__init__(handled, request_factory=made.request_factory)
        self.app = app
        self.guests = Guests(most)
        self._given = {"keepalive_timeout": idle_seconds, "access_log_class": AccessLine}

    def __call__(self) -> Connection:
        """Return what takes one connection."""
        return Connection(self, loop=self._loop, **self._given)


class GatewayRunner(web.AppRunner):
    """Serves an application on connections of the gateway's own kind."""

    __slots__ = ("_idle_seconds", "_most")

    def __init__(self, app: web.Application, idle_seconds: float, most: int) -> None:
        """End a connection on which no whole request comes in a time; take so many at most of one address."""
        super().__init__(app, shutdown_timeout=CLOSING_SECONDS)
        self._idle_seconds = idle_seconds
        self._most = most

    async def _make_server(self) -> web.Server:
        # aiohttp has no public place for another protocol; what it makes is asked for its two public parts.
        return Connections(self.app, await super()._make_server(), self._idle_seconds, self._most)


def _too_many(most: int) -> bytes:
    """Return the whole answer to a connection that is one too many, whatever would be asked on it."""
    told = f"this address has {most} connections open, which are all it may have: close some"
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, told)
    body = orjson.dumps(problem.details("/").model_dump(mode="json"))
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Retry-After": RETRY_SECONDS,
        "Cache-Control": "no-store",
        "Server": "aps",
        **HEADERS,
    }
    lines = (f"HTTP/1.1 {problem.status.value} {problem.status.phrase}", *map(": ".join, headers.items()))
    return "\r\n".join((*lines, "", "")).encode("ascii") + body
