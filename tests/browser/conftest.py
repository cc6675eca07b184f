"""A gateway with the story of a shelf, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from services.runtime.ground import Ground
from services.runtime.secret import settle_secret
from services.vault.jetstream import JetStreamKeyStore
from tests.browser_place import opened
from tests.gateway_place import Place, ground_at, open_place
from tests.log_server import LogServer, started
from tests.shelf_story import Teller

SECRET = "a secret of sixty-four characters, none of which is of any worth"


@pytest.fixture(scope="module")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("browser"))
    yield server
    server.kill()


@pytest.fixture
async def ground(log_server: LogServer, database: str, tmp_path: Path, free_port: int) -> Ground:
    """A ground whose log is empty."""
    await log_server.wipe()
    made = ground_at(log_server, database, tmp_path, free_port, SECRET_KEY_BASE=SECRET)
    async with made.log("admin") as (connection, _):
        await settle_secret(JetStreamKeyStore(connection), made.settings)
    return made


@pytest.fixture
async def place(ground: Ground) -> AsyncIterator[Place]:
    """A gateway that shows the whole story."""
    async with open_place(ground) as shown:
        async with ground.log("admin") as (_, book):
            await Teller(book, sealed=True).whole()
        await shown.seen()
        yield shown


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with opened() as one:
        yield one
