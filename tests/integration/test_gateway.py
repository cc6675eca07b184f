"""The gateway over HTTP on real servers: what it answers while components come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from nats.aio.msg import Msg

from events.rights import SERVICES
from services.gateway.listening import PortInUse, port_to_use
from services.gateway.serving import run_gateway
from services.runtime.announcing import announced
from services.runtime.ground import Ground
from tests.gateway_place import ground_at, serving
from tests.log_server import LogServer, started

PATIENCE = 20.0


@pytest.fixture(scope="module")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("served"))
    yield server
    server.kill()


@pytest.fixture
async def ground(log_server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    await log_server.wipe()
    return ground_at(log_server, database, tmp_path, free_port)


@asynccontextmanager
async def services(ground: Ground, *names: str) -> AsyncIterator[None]:
    """Services that answer to discovery and do nothing else."""
    async with AsyncExitStack() as stack:
        for name in names:
            connection = await ground.connect(name)
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(announced(connection, name, "a test", f"{name}@{id(connection)}"))
        yield


async def asked(url: str, path: str, method: str = "GET") -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url + path) as answer:
        return answer.status, answer.content_type, await answer.json(content_type=None)


async def failing(url: str) -> set[str]:
    """Ask for the health; return the components that failed, and hold the status to them."""
    status, _, body = await asked(url, "/api/health")
    failed = {one["name"] for one in body["components"] if one["state"] == "failed"}
    assert (status, body["state"] == "failed") == (503 if failed else 200, bool(failed))
    return failed


OTHERS = tuple(name for name in SERVICES if name != "gateway")


async def test_health_is_200_while_every_component_answers(ground: Ground) -> None:
    async with serving(ground) as url, services(ground, *OTHERS):
        status, kind, body = await asked(url, "/api/health")
    assert (status, kind) == (200, "application/json"), body
    names = {one["name"] for one in body["components"]}
    assert names == {
        *SERVICES,
        "nats",
        "streams",
        "postgresql",
        "projections",
        "dead_letters",
        "sandbox",
        "disk",
    }


async def test_health_is_503_and_names_the_service_that_does_not_run(ground: Ground) -> None:
    async with serving(ground) as url, services(ground, *(name for name in OTHERS if name != "qa")):
        assert await failing(url) == {"qa"}
        async with services(ground, "qa"):
            assert await failing(url) == set()


async def test_every_copy_of_a_service_is_counted(ground: Ground) -> None:
    async with serving(ground) as url, services(ground, *OTHERS, "developer"):
        _, _, body = await asked(url, "/api/health")
    (developer,) = (one for one in body["components"] if one["name"] == "developer")
    assert developer["figures"] == {"instances": 2}
    assert len(set(developer["instances"])) == 2


async def test_health_names_a_database_that_is_away_and_the_gateway_goes_on(ground: Ground) -> None:
    nowhere = port_to_use(ground.settings.model_copy(update={"port": 0}))
    away = replace(ground, database_url=f"postgresql://aps@{ground.settings.host}:{nowhere}/aps")
    async with serving(away) as url, services(ground, *OTHERS):
        assert await failing(url) == {"postgresql", "projections"}
        assert (await asked(url, "/readyz"))[0] == 503
        assert (await asked(url, "/livez"))[0] == 200


async def test_health_names_nats_while_it_is_away_and_recovers(ground: Ground, log_server: LogServer) -> None:
    async with serving(ground) as url, services(ground, *OTHERS):
        log_server.kill()
        try:
            assert {"nats", "streams", *SERVICES} <= await failing(url)
            assert (await asked(url, "/readyz"))[0] == 503
        finally:
            log_server.start()
        async with asyncio.timeout(PATIENCE):
            while await failing(url):
                pass  # each question takes the server's time


async def test_health_names_streams_that_are_not_as_declared(ground: Ground, log_server: LogServer) -> None:
    async with log_server.connection("admin") as admin:
        await admin.request("$JS.API.CONSUMER.DELETE.APS.qa", timeout=5)
    async with serving(ground) as url, services(ground, *OTHERS):
        assert await failing(url) == {"streams"}


async def test_a_stranger_that_answers_nonsense_does_no_harm(ground: Ground) -> None:
    connection = await ground.connect("qa")

    async def answer(question: Msg) -> None:
        await connection.publish(question.reply, b'{"name": 1]')

    await connection.subscribe("$SRV.PING", cb=answer)
    try:
        async with serving(ground) as url, services(ground, *OTHERS):
            assert await failing(url) == set()
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/livez", 405), ("GET", "/%zz", 404)]
)
async def test_an_error_is_a_problem_document(ground: Ground, method: str, path: str, status: int) -> None:
    async with serving(ground) as url:
        found, kind, problem = await asked(url, path, method)
    assert (found, kind) == (status, "application/problem+json")
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance"} <= problem.keys()


async def test_a_port_in_use_says_how_to_choose_another(ground: Ground) -> None:
    async with serving(ground):
        with pytest.raises(PortInUse, match=r"taken by another program.*--port.*APS_PORT"):
            await run_gateway(ground)
