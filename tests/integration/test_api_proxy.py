"""The way from a confined program to its API: what is forwarded, signed, counted, and told when it fails."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, UnixConnector, web
from pydantic import SecretStr

from services.engines.confined.api_proxy import Api, ApiProxy, Trouble
from services.engines.confined.credential import Credential, Kind

KEY = "made-up-key-of-these-tests"
CALL = "/v1/messages"
LARGEST = 3_000_000


class Upstream:
    """An API that keeps what it was asked and answers as told."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.breaks_off = False
        self.may_end = asyncio.Event()
        self.left = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        response = web.StreamResponse(status=self.status, headers=self.headers)
        await response.prepare(request)
        await response.write(b"first ")
        if self.breaks_off:
            assert request.transport is not None
            request.transport.abort()
            return response
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:  # whoever asked is gone
            self.left.set()
            raise
        await response.write(b"last")
        return response


@asynccontextmanager
async def way(
    tmp_path: Path, most_calls: int = 10
) -> AsyncIterator[tuple[Upstream, ApiProxy, ClientSession]]:
    upstream = Upstream()
    upstream.may_end.set()
    app = web.Application(client_max_size=2 * LARGEST)
    app.router.add_route("*", "/{path:.*}", upstream.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/base"
    proxy = ApiProxy(Api(base, Credential(Kind.KEY, SecretStr(KEY)), frozenset({CALL}), most_calls, LARGEST))
    path = tmp_path / "socket"
    try:
        async with (
            proxy.listening(path),
            ClientSession(base_url="http://api", connector=UnixConnector(str(path))) as program,
        ):
            yield upstream, proxy, program
    finally:
        await runner.cleanup()


async def test_a_call_arrives_signed_below_the_base_address(tmp_path: Path) -> None:
    headers = {"x-api-key": "none", "Authorization": "Bearer none", "Cookie": "a=b", "anthropic-beta": "one"}
    async with (
        way(tmp_path) as (upstream, proxy, program),
        program.post(f"{CALL}?beta=true", data=b"asked", headers=headers) as answer,
    ):
        assert (answer.status, await answer.read()) == (200, b"first last")
        sent = upstream.asked[0]
        assert (sent.path_qs, upstream.bodies) == (f"/base{CALL}?beta=true", [b"asked"])
        assert sent.headers["x-api-key"] == KEY
        assert sent.headers["anthropic-beta"] == "one"
        assert "Authorization" not in sent.headers
        assert "Cookie" not in sent.headers
        assert sent.headers["Host"].startswith("127.0.0.1:")
        assert (proxy.trouble, proxy.forwarded) == (None, 1)


async def test_an_answer_is_passed_on_while_it_is_still_written(tmp_path: Path) -> None:
    async with way(tmp_path) as (upstream, _, program):
        upstream.may_end.clear()
        async with program.post(CALL, data=b"") as answer:
            assert await answer.content.readany() == b"first "
            upstream.may_end.set()
            assert await answer.read() == b"last"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CALL),
        ("POST", "/v1/files"),
        ("POST", f"{CALL}/batches"),
        ("POST", "/v1/messages%2f..%2ffiles"),
    ],
)
async def test_no_other_call_leaves_the_machine(method: str, path: str, tmp_path: Path) -> None:
    async with way(tmp_path) as (upstream, _, program), program.request(method, path) as answer:
        assert answer.status == 404
        assert upstream.asked == []


async def test_a_redirect_is_not_followed_and_no_cookie_is_kept(tmp_path: Path) -> None:
    async with way(tmp_path) as (upstream, proxy, program):
        upstream.status = 302
        upstream.headers = {"Location": "http://127.0.0.1:9/elsewhere", "Set-Cookie": "a=b"}
        async with program.post(CALL, allow_redirects=False) as answer:
            assert answer.status == 302
            assert "Set-Cookie" not in answer.headers
        async with program.post(CALL, allow_redirects=False):
            assert "Cookie" not in upstream.asked[1].headers
        assert proxy.trouble is not None
        assert proxy.trouble.status == 302


@pytest.mark.parametrize(
    ("after", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-1", None), ("Mon, 01 Jan", None), ("1e9", None)]
)
async def test_a_refusal_is_passed_on_and_kept_until_a_call_goes_well(
    after: str, seconds: float | None, tmp_path: Path
) -> None:
    async with way(tmp_path) as (upstream, proxy, program):
        upstream.status, upstream.headers = 429, {"Retry-After": after}
        async with program.post(CALL) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, after)
        assert proxy.trouble == Trouble(429, retry_after=seconds)
        upstream.status = 200
        async with program.post(CALL):
            assert proxy.trouble is None


async def test_what_breaks_off_breaks_off_for_the_program_too(tmp_path: Path) -> None:
    async with way(tmp_path) as (upstream, proxy, program):
        upstream.breaks_off = True
        with pytest.raises(ClientError):
            async with program.post(CALL) as answer:
                await answer.read()
        assert proxy.trouble is not None
        assert proxy.trouble.cut_off


async def test_more_calls_than_allowed_are_refused_here(tmp_path: Path) -> None:
    async with way(tmp_path, most_calls=2) as (upstream, proxy, program):
        statuses = []
        for _ in range(3):
            async with program.post(CALL) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 403]
        assert len(upstream.asked) == 2
        assert proxy.trouble is not None
        assert proxy.trouble.too_many


async def test_a_large_request_is_passed_on_and_a_larger_one_refused_here(tmp_path: Path) -> None:
    async with way(tmp_path) as (upstream, _, program):
        async with program.post(CALL, data=BytesIO(bytes(LARGEST))) as answer:
            assert answer.status == 200
        async with program.post(CALL, data=BytesIO(bytes(LARGEST + 1))) as answer:
            assert answer.status == 413
        assert [len(body) for body in upstream.bodies] == [LARGEST]


async def test_a_call_still_under_way_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with asyncio.timeout(20), way(tmp_path) as (upstream, _, program):
        upstream.may_end.clear()
        answer = await program.post(CALL)
        assert await answer.content.readany() == b"first "
        answer.close()


async def test_a_call_ends_with_the_program_that_made_it(tmp_path: Path) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    before = asyncio.all_tasks()
    async with way(tmp_path) as (upstream, proxy, program):
        upstream.may_end.clear()
        answer = await program.post(CALL, data=b"")
        assert await answer.content.readany() == b"first "
        answer.close()
        async with asyncio.timeout(10):
            await upstream.left.wait()
        assert proxy.trouble is None
    async with asyncio.timeout(30):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    gc.collect()
    assert told == []
