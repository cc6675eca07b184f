"""A gateway on a log and views of its own, tokens of every role, and a client for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from events.envelope import Cause
from projections.projector import Projector
from projections.queries import Views
from schemas.access import Role
from services.access.tokens import Token, grant
from services.gateway.listening import url_of
from services.gateway.serving import run_gateway
from services.runtime.ending import end
from services.runtime.ground import Ground
from services.runtime.log import Log
from services.runtime.settings import load
from tests.log_server import PASSWORDS, LogServer

PATIENCE = 30.0
CAUSE = Cause(actor="cli", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")


def ground_at(log_server: LogServer, database: str, home: Path, port: int, **more: str) -> Ground:
    """Return the ground of a gateway that has passwords of every user, and `more` settings."""
    given = {"NATS_URL": log_server.url, "DATABASE_URL": database, "APS_PORT": str(port)}
    settings = load({"APS_HOME": str(home), **given, **PASSWORDS, **more})
    return Ground(settings, log_server.url, database)


@asynccontextmanager
async def serving(ground: Ground, asker: aiohttp.ClientSession | None = None) -> AsyncIterator[str]:
    """A running gateway; gives its address as soon as it answers, to `asker` where one is given."""
    running = asyncio.create_task(run_gateway(ground))
    url = url_of(ground.settings)
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while not running.done():
                try:
                    async with (asker or session).get(f"{url}/livez"):
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.wait({running}, timeout=0.02)
        if running.done():
            running.result()
        yield url
    finally:
        await end(running)


@dataclass(frozen=True)
class Said:
    """What was answered."""

    status: int
    headers: Any
    text: str
    json: Any


@dataclass(frozen=True)
class Place:
    """A gateway's address, its log and views, and a token of each role."""

    url: str
    ground: Ground
    book: Log
    views: Views
    tokens: dict[Role, Token]
    session: aiohttp.ClientSession

    async def ask(
        self,
        method: str,
        path: str,
        role: Role | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Said:
        """Send a request with the token of a role, or with none; follow nothing."""
        own = {"Authorization": f"Bearer {self.tokens[role].text}"} if role else {}
        async with self.session.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={**own, **(headers or {})},
            allow_redirects=False,
        ) as answer:
            text = await answer.text()
            is_json = answer.content_type.endswith("json")
            return Said(
                answer.status, answer.headers, text, await answer.json(content_type=None) if is_json else None
            )

    async def seen(self) -> int:
        """Wait until the views are at the head of the log; return it."""
        head = await self.book.store.head()
        await self.views.wait_until(head, PATIENCE)
        return head


@asynccontextmanager
async def open_place(ground: Ground) -> AsyncIterator[Place]:
    """Serve with a projector beside, and let in one token of each role."""
    async with (
        ground.log("cli") as (_, book),
        ground.pool(1, 4, 10) as pool,
        serving(ground) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        projecting = asyncio.create_task(Projector(book.store, pool).follow())
        try:
            tokens = {role: await grant(book, role.value, role, CAUSE) for role in Role}
            place = Place(url, ground, book, Views(pool), tokens, session)
            await place.seen()
            yield place
        finally:
            await end(projecting)


@asynccontextmanager
async def from_address(place: Place, address: str) -> AsyncIterator[Place]:
    """The same place, asked from another address of this machine."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), force_close=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield replace(place, session=session)
