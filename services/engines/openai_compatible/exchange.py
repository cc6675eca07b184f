"""One request to the server and its streamed answer; whatever goes wrong on the way becomes `Unanswered`."""

import os
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import aiohttp
from pydantic import JsonValue, TypeAdapter, ValidationError

from schemas.engine import FailureKind
from services.engines.line import one_line
from services.engines.openai_compatible.chunks import Chunk, complaint_in, read_chunk
from services.engines.openai_compatible.endpoint import Endpoint
from services.engines.openai_compatible.event_stream import EventData
from services.engines.openai_compatible.failing import Complaint, Unanswered, kind_of, status_told, wait_told

_ERROR_BYTES = 64_000
_ESCAPED = 6  # bytes a character takes at most inside JSON (\u0000)
_AROUND = 64_000  # bytes of a chunk beside the text it brings
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class Refusal(Unanswered):
    """The server refused the request itself: the status and its words, before anything was generated."""

    def __init__(self, status: int, said: Complaint, retry_after: float | None) -> None:
        """Classify it."""
        words = said.message or said.code or "without a reason"
        super().__init__(kind_of(status, said), f"the server answered {status}: {words}", retry_after)
        self.status = status
        self.words = f"{said.code} {said.message}"


def session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """Open a session for one task; the caller closes it. No proxy, cookie or redirect is heeded."""
    bounds = aiohttp.ClientTimeout(
        total=None,  # the task's own bound holds
        connect=endpoint.connect_seconds,
        sock_connect=endpoint.connect_seconds,
        sock_read=endpoint.silent_seconds,
    )
    return aiohttp.ClientSession(
        timeout=bounds,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,  # or a few bytes would fill the memory
        # A kept connection that the server closes meanwhile would cost a whole conversation.
        connector=aiohttp.TCPConnector(force_close=True),
    )


async def stream(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    body: bytes,
    limit: int,
    now: Callable[[], datetime],
) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks up to `[DONE]`; close it by `aclosing`. Raises `Unanswered`."""
    headers = {**endpoint.headers(), "Content-Type": "application/json", "Accept": "text/event-stream"}
    events = EventData(_ESCAPED * limit + _AROUND)
    with _told(endpoint) as way:
        async with session.post(
            endpoint.at("chat/completions"), data=body, headers=headers, allow_redirects=False
        ) as answer:
            way.reached = True
            await _accept(answer, now())
            async for piece in answer.content.iter_any():
                for data in events.feed(piece):
                    if data.strip() == "[DONE]":
                        return
                    yield read_chunk(data)
    raise Unanswered(FailureKind.CUT_OFF, "the stream ended before the answer did")


async def models(session: aiohttp.ClientSession, endpoint: Endpoint, now: Callable[[], datetime]) -> None:
    """Ask for the server's list of models, which costs nothing. Raises `Unanswered`."""
    with _told(endpoint) as way:
        async with session.get(
            endpoint.at("models"), headers=endpoint.headers(), allow_redirects=False
        ) as answer:
            way.reached = True
            if answer.status not in (200, 404, 405):  # some servers keep no list
                raise await _refusal(answer, now())


async def _accept(answer: aiohttp.ClientResponse, now: datetime) -> None:
    if answer.status != 200:
        raise await _refusal(answer, now)
    if answer.headers.get("Content-Encoding", "identity").casefold() != "identity":
        raise Unanswered(FailureKind.GARBLED, "the answer is compressed, which was not asked for")
    if answer.content_type != "text/event-stream":
        said = await _words(answer)
        if said.is_error:  # under a status of success
            raise Refusal(status_told(said.code), said, wait_told(answer.headers, now))
        raise Unanswered(
            FailureKind.GARBLED, f"{answer.content_type} in the place of an event stream: {said.message}"
        )


async def _refusal(answer: aiohttp.ClientResponse, now: datetime) -> Refusal:
    said = await _words(answer)
    if 300 <= answer.status < 400:
        said = Complaint("it sends elsewhere, where the key is not sent: give the API's own base address")
    return Refusal(answer.status, said, wait_told(answer.headers, now))


async def _words(answer: aiohttp.ClientResponse) -> Complaint:
    """Read what the server says is wrong out of the shapes in use; of a page its beginning."""
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > _ERROR_BYTES:
            break
    text = content[:_ERROR_BYTES].decode("utf-8", "replace")
    try:
        read = _JSON.validate_json(text)
    except ValidationError:
        return Complaint(one_line(text, 160))
    if not isinstance(read, dict):
        return Complaint(one_line(text, 160))
    told = complaint_in(read.get("error") or read.get("detail") or read)
    return Complaint(told.message or one_line(text, 160), told.code, is_error=bool(read.get("error")))


class _Way:
    """How far a request came."""

    reached = False


@contextmanager
def _told(endpoint: Endpoint) -> Iterator[_Way]:
    """Turn what the network did into `Unanswered`."""
    way = _Way()
    try:
        yield way
    except aiohttp.ServerTimeoutError as problem:
        raise _too_late(endpoint, way, problem) from None
    except aiohttp.ClientPayloadError:
        raise Unanswered(FailureKind.CUT_OFF, "the connection broke within the answer") from None
    except aiohttp.ClientResponseError as problem:
        raise Unanswered(FailureKind.GARBLED, f"no HTTP: {problem.message}") from None
    except (aiohttp.ClientConnectionError, OSError) as problem:
        kind = FailureKind.CUT_OFF if way.reached else FailureKind.UNREACHABLE
        raise Unanswered(kind, f"no connection{_where(problem)}") from None
    except (aiohttp.ClientError, UnicodeError) as problem:
        raise Unanswered(FailureKind.GARBLED, f"no answer that can be read: {problem}") from None


def _where(problem: Exception) -> str:
    if not isinstance(problem, aiohttp.ClientConnectorError) or isinstance(problem, aiohttp.ClientSSLError):
        return f": {problem}"
    inner = problem.os_error  # in its words the address is a tuple, and a name's error number is no system's
    number = inner.errno or 0
    said = os.strerror(number) if number > 0 else inner.strerror or str(inner)
    return f" to {problem.host}:{problem.port}: {said}"


def _too_late(endpoint: Endpoint, way: _Way, problem: Exception) -> Unanswered:
    if isinstance(problem, aiohttp.ConnectionTimeoutError):
        return Unanswered(FailureKind.UNREACHABLE, f"no connection within {endpoint.connect_seconds:g} s")
    where = "in the middle of its answer" if way.reached else "before its answer"
    return Unanswered(
        FailureKind.TIMED_OUT, f"the server was silent for {endpoint.silent_seconds:g} s {where}"
    )
