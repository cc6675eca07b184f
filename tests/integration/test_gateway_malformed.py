"""What comes to the gateway and is no request: answered with problem details as everything else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from schemas.access import Role
from services.gateway.http.problems import MEDIA_TYPE
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer

PATIENCE = 30
LONG = b"a" * 20_000


@pytest.fixture
async def place(server: LogServer, database: str, tmp_path: Path, free_port: int) -> AsyncIterator[Place]:
    async with open_place(ground_at(server, database, tmp_path, free_port)) as opened:
        yield opened


class Answer(NamedTuple):
    """What came back on a connection, up to its end."""

    status: int
    headers: dict[str, str]
    json: Any


async def sent(place: Place, pieces: Sequence[bytes]) -> Answer:
    """Send bytes as they are, and read until the gateway ends the connection."""
    reader, writer = await asyncio.open_connection(place.ground.settings.host, place.ground.settings.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *lines = head.decode("ascii").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), headers, orjson.loads(body))


def request(line: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join((line, b"Host: aps", b"Connection: close", *headers, b"", b""))


MALFORMED: dict[str, tuple[int, tuple[bytes, ...]]] = {
    "a long address": (414, (request(b"GET /api/tasks?q=" + LONG + b" HTTP/1.1"),)),
    "a long address in pieces": (414, (b"GET /api/tasks?q=" + LONG[:5000], LONG)),
    "a long header": (431, (request(b"GET /api/tasks HTTP/1.1", b"X-Long: " + LONG),)),
    "a long header in pieces": (431, (b"GET /api/tasks HTTP/1.1\r\nX-Long: " + LONG[:5000], LONG)),
    "many headers": (431, (request(b"GET /api/tasks HTTP/1.1", *[b"X: y"] * 300),)),
    "no header": (400, (request(b"GET /api/tasks HTTP/1.1", b"no header"),)),
    "a length that is none": (400, (request(b"POST /api/pause HTTP/1.1", b"Content-Length: x"),)),
    "another version": (400, (request(b"GET /api/tasks HTTP/7.1"),)),
    "an address that is none": (400, (request(b"GET http://[ HTTP/1.1"),)),
    "bytes": (400, (b"\x00\xff\x1b[2J\r\n\r\n",)),
    "encryption": (400, (b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",)),
    "a chunk that is none": (
        400,
        (request(b"POST /api/pause HTTP/1.1", b"Transfer-Encoding: chunked") + b"zz\r\n",),
    ),
    "what is expected of nobody": (417, (request(b"GET /livez HTTP/1.1", b"Expect: a miracle"),)),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_what_is_no_request_is_answered_with_problem_details(place: Place, what: str) -> None:
    status, pieces = MALFORMED[what]
    answer = await sent(place, pieces)
    assert (answer.status, answer.json["status"]) == (status, status), answer
    assert answer.headers["Content-Type"].startswith(MEDIA_TYPE)
    assert answer.headers["Server"] == "aps"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "aaaa" not in answer.json["detail"]


@pytest.mark.parametrize("method", ["FOO", "get", "X-" + "Y" * 30, "PUT", "PROPFIND"])
async def test_a_method_that_a_path_does_not_take_is_told_those_it_takes(place: Place, method: str) -> None:
    answer = await sent(place, [request(f"{method} /api/improvements/1 HTTP/1.1".encode())])
    assert (answer.status, answer.headers["Content-Type"]) == (405, MEDIA_TYPE)
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}
    assert answer.json["instance"] == "/api/improvements/1"


@pytest.mark.parametrize("method", ["FOO", "PUT"])
async def test_an_unknown_path_is_not_found_by_any_method(place: Place, method: str) -> None:
    answer = await sent(place, [request(f"{method} /api/nothing HTTP/1.1".encode())])
    assert (answer.status, answer.headers["Content-Type"]) == (404, MEDIA_TYPE)


async def test_a_body_that_breaks_off_in_the_middle_is_the_fault_of_who_sends_it(place: Place) -> None:
    own = f"Authorization: Bearer {place.tokens[Role.OPERATOR].text}".encode()
    head = request(
        b"POST /api/pause HTTP/1.1", own, b"Content-Type: application/json", b"Transfer-Encoding: chunked"
    )
    answer = await sent(place, [head + b'2\r\n{"\r\n', b"zz\r\n"])
    assert (answer.status, answer.headers["Content-Type"]) == (400, MEDIA_TYPE), answer


async def test_a_body_that_is_not_packed_as_it_says_is_the_fault_of_who_sends_it(place: Place) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    own = {"Authorization": f"Bearer {place.tokens[Role.OPERATOR].text}"}
    async with place.session.post(
        f"{place.url}/api/pause", data=b"no gzip at all", headers={**own, **headers}
    ) as answer:
        assert (answer.status, answer.content_type) == (400, MEDIA_TYPE), await answer.text()
