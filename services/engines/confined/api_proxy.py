"""The host's side of a confined program: forwards its API calls to one base address and signs them.

Rules:
1. Only the calls named are forwarded; all else is answered here with 404 and leaves the machine never.
2. No redirect is followed and no cookie kept: the credential goes to the one base address.
3. What went wrong on the way is kept, for the program tells less of it than the API did.
4. A call ends with the program that made it: nobody would read the rest, which is paid for all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from services.engines.confined.credential import Credential

CHUNK = 65_536
LARGEST_REQUEST = 64 * 1024**2  # bytes
CONNECTING = 20.0  # seconds
ENDING = 0.05  # seconds for calls still under way, of a program that is gone; nought would wait for ever
# Of one connection, not of the message; `host` and the length are written anew.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "host", "content-length", "cookie", "set-cookie"}
)


@dataclass(frozen=True)
class Api:
    """The one API a program reaches: its base address, what opens it, the calls it may make and how many."""

    base: str
    credential: Credential
    calls: frozenset[str]
    most_calls: int = 1000
    largest_request: int = LARGEST_REQUEST


@dataclass(frozen=True)
class Trouble:
    """What the last failing call met: a status, or none where the API was not reached or broke off."""

    status: int | None = None
    reason: str = ""
    retry_after: float | None = None
    cut_off: bool = False
    too_many: bool = False


class ApiProxy:
    """Forwards calls and keeps what the last one met; `trouble` is None when it went well."""

    def __init__(self, api: Api) -> None:
        self.trouble: Trouble | None = None
        self.forwarded = 0
        self._api = api
        self._base = api.base.rstrip("/")

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Listen on the unix socket `path`, which any user may connect to who can reach it."""
        async with ClientSession(
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=CONNECTING),
            auto_decompress=False,
        ) as session:

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                return await self._handle(request, session)

            server = web.Server(handle, access_log=None, handler_cancellation=True)
            runner = web.ServerRunner(server, shutdown_timeout=ENDING)
            await runner.setup()
            try:
                await web.UnixSite(runner, str(path)).start()
                await asyncio.to_thread(path.chmod, 0o666)
                yield
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.BaseRequest, session: ClientSession) -> web.StreamResponse:
        if request.method != "POST" or request.path not in self._api.calls:
            return web.Response(status=404)
        if self.forwarded >= self._api.most_calls:
            self.trouble = Trouble(too_many=True, reason=f"more than {self._api.most_calls} calls")
            return _told(403, "permission_error", "no more calls in this run")
        self.forwarded += 1
        return await self._forward(request, session)

    async def _forward(self, request: web.BaseRequest, session: ClientSession) -> web.StreamResponse:
        body = await _body(request, self._api.largest_request)
        if body is None:
            self.trouble = Trouble(status=413, reason="the request is too large")
            return _told(413, "request_too_large", "the request is too large")
        headers = self._api.credential.sign(_end_to_end(request.headers))
        url = f"{self._base}{request.path_qs}"
        answer = None
        try:
            async with session.post(
                url, data=BytesIO(body), headers=headers, allow_redirects=False
            ) as upstream:
                self.trouble = _met(upstream.status, upstream.headers)
                answer = web.StreamResponse(status=upstream.status, headers=_end_to_end(upstream.headers))
                await answer.prepare(request)
                async for chunk in upstream.content.iter_chunked(CHUNK):
                    await answer.write(chunk)
                await answer.write_eof()
                return answer
        except (ClientError, TimeoutError) as error:
            return self._broken(request, answer, error)

    def _broken(
        self, request: web.BaseRequest, answer: web.StreamResponse | None, error: Exception
    ) -> web.StreamResponse:
        reason = f"{type(error).__name__}: {error}"
        if answer is None:
            self.trouble = Trouble(reason=reason)
            return _told(502, "api_error", "the API cannot be reached")
        if request.transport is None:  # it was the program that went away
            return answer
        self.trouble = Trouble(reason=reason, cut_off=True)
        with suppress(RuntimeError):
            request.transport.abort()
        return answer


async def _body(request: web.BaseRequest, largest: int) -> bytes | None:
    parts = []
    size = 0
    async for chunk in request.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > largest:
            return None
        parts.append(chunk)
    return b"".join(parts)


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): text for name, text in headers.items() if name.lower() not in HOP_BY_HOP}


def _met(status: int, headers: Mapping[str, str]) -> Trouble | None:
    if status < 300:
        return None
    return Trouble(status=status, retry_after=_seconds(headers.get("Retry-After", "")))


def _seconds(text: str) -> float | None:
    """Read a number of seconds; a date is not worth a clock here."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 86_400 else None


def _told(status: int, type: str, message: str) -> web.Response:
    return web.json_response({"type": "error", "error": {"type": type, "message": message}}, status=status)
