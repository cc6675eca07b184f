"""A second `aps up` on a port tells a gateway of ours from another program."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from services.cli.ending import Exit, Stop
from services.cli.swarm.swarming import Order, up
from services.gateway.api.health import Alive
from services.gateway.listening import PortInUse
from services.runtime.listening_settings import LOOPBACK
from services.runtime.settings import load


async def _serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_get("/livez", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server((LOOPBACK, 0))
    await web.SockSite(runner, listening).start()
    return runner, int(listening.getsockname()[1])


async def _other(_: web.Request) -> web.Response:
    return web.Response(text="something else")


async def test_a_gateway_of_ours_is_named_as_such(tmp_path: Path) -> None:
    runner, port = await _serving(_ours)
    try:
        with pytest.raises(Stop, match=f"aps already runs here: http://{LOOPBACK}:{port}") as stopped:
            await up(load({"APS_HOME": str(tmp_path)}), Order(port), as_json=False)
    finally:
        await runner.cleanup()
    assert stopped.value.code is Exit.CONFLICT


async def _ours(_: web.Request) -> web.Response:
    return web.json_response(Alive().model_dump(mode="json"))


async def test_another_program_is_not_taken_for_ours(tmp_path: Path) -> None:
    runner, port = await _serving(_other)
    try:
        with pytest.raises(PortInUse):
            await up(load({"APS_HOME": str(tmp_path)}), Order(port), as_json=False)
    finally:
        await runner.cleanup()
