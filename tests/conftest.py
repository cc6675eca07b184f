"""The real servers, started once for the whole test session, and what each test takes of them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import pytest
import structlog
from hypothesis import settings
from nats.aio.client import Client

from services.runtime.embedded.addresses import free_port as find_free_port
from services.runtime.embedded.lock import is_locked
from services.runtime.embedded.programs import configuration_folder
from services.runtime.embedded.servers import EmbeddedServers
from tests import ending, progress
from tests.leftovers import session_folder
from tests.log_server import LogServer, started

T = TypeVar("T")

# A slow machine is no failure: examples are bounded in number, not in time.
settings.register_profile("aps", deadline=None)
settings.load_profile("aps")


@pytest.hookimpl(trylast=True)  # after the plugin that spreads tests, if they are spread
def pytest_configure(config: pytest.Config) -> None:
    """Show which tests are under way; let a session that is interrupted leave nothing behind."""
    progress.install(config)
    ending.install(config)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of its own thread, whatever loop the test uses."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def open_home() -> Iterator[Path]:
    """A data folder that any uid may traverse."""
    with session_folder("tests", run) as home:
        yield home


@pytest.fixture(scope="session")
def nats_configuration() -> Path:
    """The folder of the shipped configuration."""
    return configuration_folder()


@pytest.fixture(scope="session")
def servers(open_home: Path, nats_configuration: Path) -> Iterator[EmbeddedServers]:
    """NATS and PostgreSQL, ready."""
    embedded = EmbeddedServers(open_home, configuration=nats_configuration)
    run(embedded.join())
    yield embedded
    run(embedded.leave())


@pytest.fixture
def home(open_home: Path) -> Iterator[Path]:
    """A data folder of this test alone, whose servers must be gone at its end."""
    folder = open_home / f"einfache Übung {uuid4().hex[:6]}"
    yield folder
    left = [lock.stem for lock in (folder / "servers").glob("*.lock") if is_locked(lock)]
    assert not left, "the test left servers running"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log lines go nowhere: stdout is the command's."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
def nats_url(servers: EmbeddedServers) -> str:
    """The NATS server; passwords are `servers.nats_password(user)`. Use a stream prefix of your own."""
    return servers.nats_url


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    """A NATS server of this module alone, under the shipped configuration; its streams are not declared."""
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture
async def server(running: LogServer) -> AsyncIterator[LogServer]:
    """The module's server with all streams, empty."""
    await running.wipe()
    yield running


@pytest.fixture
async def admin(server: LogServer) -> AsyncIterator[Client]:
    """A connection as `admin` to a server whose streams are empty."""
    async with server.connection("admin") as connection:
        yield connection


@pytest.fixture
def database(servers: EmbeddedServers) -> Iterator[str]:
    """The URL of an empty database of this test alone."""
    name = f"test_{uuid4().hex}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(servers.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    run(execute(f"CREATE DATABASE {name}"))
    yield servers.database_url.rpartition("/")[0] + f"/{name}"
    run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on."""
    return find_free_port()
