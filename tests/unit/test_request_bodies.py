"""A body is read whole, or refused: at once when it is too large, after a while when it does not come."""

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from services.gateway.http.bodies import MOST_BYTES, form, whole
from services.gateway.http.problems import Problem


class Connected(BaseProtocol):
    """A connection that is open."""

    connected = True


def request(length: int, *parts: bytes, ended: bool) -> web.Request:
    """A request whose body has come so far."""
    body = StreamReader(Connected(asyncio.get_running_loop()), limit=1 << 16, loop=asyncio.get_running_loop())
    for part in parts:
        body.feed_data(part)
    if ended:
        body.feed_eof()
    return make_mocked_request("POST", "/", headers={"Content-Length": str(length)}, payload=body)


async def test_a_body_comes_in_parts_and_is_read_whole() -> None:
    assert await whole(request(4, b"{}", b"{}", ended=True)) == b"{}{}"


async def test_what_says_that_it_is_too_large_is_not_read() -> None:
    with pytest.raises(Problem, match="at most") as refused:
        await whole(request(MOST_BYTES + 1, ended=False))
    assert refused.value.status == 413


async def test_a_body_that_does_not_come_is_given_up() -> None:
    with pytest.raises(Problem, match="did not come") as refused:
        await whole(request(10, b"{", ended=False), seconds=0.01)
    assert refused.value.status == 408


async def test_a_form_that_does_not_come_is_given_up() -> None:
    with pytest.raises(Problem, match="did not come") as refused:
        await form(request(100, b"token=x", ended=False), seconds=0.01)
    assert refused.value.status == 408
