"""Projectors and PostgreSQL killed -9 while events come in: each event is applied once, none is left out."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from events.jetstream.log import JetStreamEventStore
from events.store import Batch, EventStore, Position
from projections.database import lock_key
from projections.queries import Views
from projections.rebuild import rebuild_and_compare
from services.projector.service import run
from services.runtime.embedded.servers import EmbeddedServers
from tests import projection_facts as f
from tests.log_server import LogServer
from tests.projecting import Projecting

if TYPE_CHECKING:
    from projections.connection import Pool

PATIENCE = 60.0
SESSIONS = """
select a.application_name, a.state, a.wait_event, a.query, now() - a.state_change, l.granted
from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.locktype = 'advisory'
where a.application_name like 'projector%'
"""
ROUND = 60  # improvements that are told of at once
numbers = count()
Project = Callable[[], Projecting]

LEADER = """
select application_name from pg_stat_activity a join pg_locks l on l.pid = a.pid
where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = $1
"""


@pytest.fixture
async def writer(server: LogServer) -> AsyncIterator[EventStore]:
    async with server.connection("admin") as connection:
        yield JetStreamEventStore(connection, lambda: datetime.now(UTC))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=6) as made:
        yield made


@pytest.fixture
def project(server: LogServer, database: str) -> Iterator[Project]:
    """Start projectors that end with the test."""
    made: list[Projecting] = []

    def begin() -> Projecting:
        made.append(Projecting(f"projector-{next(numbers)}", server.port, database))
        return made[-1]

    yield begin
    for one in made:
        one.kill()


async def tell_much(store: EventStore, number: int) -> int:
    """Tell of many improvements, all at the same step of their lives; return the head."""
    positions = [Position()] * ROUND
    for fact in (f.discovered(), f.claimed(seconds=10**9), f.specified()):
        batches = [Batch("improvement", f"imp-{number}-{n}", at, (fact,)) for n, at in enumerate(positions)]
        positions = [*await store.append_many(batches, f.because(1))]
    return await store.head()


@asynccontextmanager
async def telling(store: EventStore) -> AsyncIterator[asyncio.Task[int]]:
    """Tell more and more within the block; the task then gives the head."""
    enough = asyncio.Event()

    async def go_on() -> int:
        for number in count(1):
            head = await tell_much(store, number)
            if enough.is_set():
                return head
        raise AssertionError("numbers never end")

    task = asyncio.create_task(go_on())
    try:
        yield task
    finally:
        enough.set()
        await task


async def leader(pool: Pool) -> str | None:
    key = lock_key("aps", "lead") % 2**64
    name: str | None = await pool.fetchval(LEADER, key - 2**64 if key >= 2**63 else key)
    return name


async def test_a_projector_killed_again_and_again_applies_each_event_once(
    writer: EventStore, pool: Pool, project: Project
) -> None:
    views, random = Views(pool), Random(1)  # noqa: S311 -- of moments, not of secrets
    async with telling(writer) as told:
        for _ in range(3):
            one = project()
            # somewhere within what comes next: in a load, between two batches or in a transaction
            await views.wait_until((await views.checkpoint()).seq + random.randint(1, 300), PATIENCE)
            one.kill()
    head = await told
    project()
    await views.wait_until(head, PATIENCE)
    assert await pool.fetchval("select array_agg(seq order by seq) from aps.journal") == [*range(1, head + 1)]
    assert await rebuild_and_compare(writer, pool) == []


async def test_another_projector_takes_over_within_seconds(
    writer: EventStore, pool: Pool, project: Project
) -> None:
    views = Views(pool)
    both = {one.name: one for one in (project(), project())}
    await views.wait_until(await tell_much(writer, 0), PATIENCE)
    leading = await leader(pool)
    assert leading is not None
    both[leading].kill()
    begun = time.monotonic()
    await views.wait_until(await tell_much(writer, 1), PATIENCE)
    assert time.monotonic() - begun < 10
    assert await leader(pool) in both.keys() - {leading}
    assert await rebuild_and_compare(writer, pool) == []


async def test_a_leader_that_hangs_loses_the_lead(pool: Pool, project: Project, writer: EventStore) -> None:
    views = Views(pool)
    both = {one.name: one for one in (project(), project())}
    await views.wait_until(await tell_much(writer, 0), PATIENCE)
    leading = await leader(pool)
    assert leading is not None
    os.kill(both[leading].pid, signal.SIGSTOP)
    try:
        await views.wait_until(await tell_much(writer, 1), PATIENCE)
    except TimeoutError:
        pytest.fail(f"the other copy did not take the lead: {await pool.fetch(SESSIONS)}")
    finally:
        os.kill(both[leading].pid, signal.SIGCONT)
    await views.wait_until(await tell_much(writer, 2), PATIENCE)
    assert await rebuild_and_compare(writer, pool) == []


async def test_postgresql_killed_under_load_loses_nothing(
    writer: EventStore, server: LogServer, home: Path, nats_configuration: Path
) -> None:
    servers = EmbeddedServers(home, configuration=nats_configuration)
    random, said = Random(4), asyncio.Queue[str]()  # noqa: S311 -- of moments, not of secrets
    async with servers, server.connection("projector") as connection:
        watching = asyncio.create_task(servers.watch(said.put_nowait))
        async with asyncpg.create_pool(servers.database_url, min_size=1, max_size=6) as pool:
            store, views = JetStreamEventStore(connection, lambda: datetime.now(UTC)), Views(pool)
            projecting = asyncio.create_task(run(store, pool))
            try:
                async with telling(writer) as told:
                    for _ in range(3):
                        at = (await views.checkpoint()).seq
                        await views.wait_until(at + random.randint(1, 200), PATIENCE)
                        await kill_postgres(servers, said)
                head = await told
                await views.wait_until(head, PATIENCE)
                assert await pool.fetchval("select count(*) from aps.journal") == head
                assert await rebuild_and_compare(store, pool) == []
            finally:
                for task in (projecting, watching):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


async def kill_postgres(servers: EmbeddedServers, said: asyncio.Queue[str]) -> None:
    """Kill it, and return when it answers again."""
    pid = int((servers.place / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while await said.get() != "PostgreSQL is back":
            pass
