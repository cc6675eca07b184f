"""Bodies of deliveries: within a size, within a time, in the one form that is read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp import web

from services.gateway.http.problems import Problem, problem_response
from services.gateway.webhooks.bodies import KIB, LARGE, LARGE_AT_ONCE, RETRY_SECONDS, TOO_LARGE, Bodies

MOST = 100 * KIB
PATIENCE = 30.0


@asynccontextmanager
async def reading(bodies: Bodies) -> AsyncIterator[str]:
    """Serve nothing but what reads bodies; it answers how long one was."""

    async def read(request: web.Request) -> web.Response:
        try:
            return web.Response(text=str(len(await bodies.read(request))))
        except Problem as problem:
            return problem_response(problem, "/")

    app = web.Application()
    app.router.add_post("/", read)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


async def said(url: str, data: object) -> str:
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session,
        session.post(url, data=data) as answer,
    ):
        return await answer.text()


async def parts(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * KIB


async def test_a_body_is_read_up_to_the_size_that_is_taken() -> None:
    async with reading(Bodies(MOST)) as url:
        assert await said(url, b"x" * MOST) == await said(url, parts(100)) == str(MOST)
        assert TOO_LARGE in await said(url, b"x" * (MOST + 1))
        assert TOO_LARGE in await said(url, parts(101))


async def test_a_body_that_says_it_is_huge_is_refused_before_it_comes() -> None:
    async with reading(Bodies(MOST)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert b" 413 " in await first_line(port, b"Content-Length: 104857600\r\n\r\n")


async def test_who_sends_too_slowly_is_ended() -> None:
    async with reading(Bodies(MOST, seconds=0.1)) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        assert b" 408 " in await first_line(port, b'Content-Length: 100\r\n\r\n{"a"')
        assert b" 408 " in await first_line(port, b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n')


async def first_line(port: int, rest: bytes) -> bytes:
    """Send the beginning of a request and no more; return the first line of what is answered meanwhile."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rest)
        await writer.drain()
        line = await reader.readline()
        writer.close()
        return line


async def begun(port: int, came: int, host: str) -> asyncio.StreamWriter:
    """Send the beginning of a large delivery from an address, and no more of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n"
    writer.write(head + b"x" * came)
    await writer.drain()
    return writer


async def honest(url: str, host: str = "127.0.3.1") -> tuple[int, str]:
    """Deliver something large from an address; return what is answered."""
    connector = aiohttp.TCPConnector(local_addr=(host, 0))
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.post(url, data=b"x" * (LARGE + KIB)) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", "")


async def ended(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.close()
        await writer.wait_closed()


async def test_who_announces_much_and_sends_nothing_takes_no_room_from_others() -> None:
    async with reading(Bodies(10_000 * KIB, seconds=PATIENCE)) as url, asyncio.timeout(PATIENCE / 2):
        port = int(url.rstrip("/").rpartition(":")[2])
        slow = [await begun(port, 1, "127.0.4.1") for _ in range(3 * LARGE_AT_ONCE)]
        assert (await honest(url, "127.0.4.1"))[0] == 200
        await ended(slow)


async def test_who_sends_much_slowly_takes_only_the_room_of_one_place() -> None:
    async with reading(Bodies(10_000 * KIB, seconds=PATIENCE)) as url, asyncio.timeout(PATIENCE / 2):
        port = int(url.rstrip("/").rpartition(":")[2])
        slow = [await begun(port, LARGE + KIB, "127.0.4.1") for _ in range(2 * LARGE_AT_ONCE)]
        assert (await honest(url))[0] == 200
        await ended(slow)


async def test_who_finds_no_room_is_told_when_to_return_and_not_blamed() -> None:
    bodies = Bodies(10_000 * KIB, seconds=0.2)
    async with AsyncExitStack() as taken:
        for number in range(LARGE_AT_ONCE):
            await taken.enter_async_context(bodies.room(f"192.0.2.{number}"))
        async with reading(bodies) as url:
            assert await honest(url) == (503, RETRY_SECONDS)
