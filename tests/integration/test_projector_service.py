"""The projector service on real servers: follows a JetStream log, waits out what is away, hands over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from events.catalogue import FACTS
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.jetstream.stream_reader import StreamReader
from events.memory import InMemoryEventStore
from events.store import Broken, EventStore
from events.subjects import DEAD_LETTER_STREAM, place
from projections.database import OtherVersions, lock_key
from projections.projector import SILENT_SECONDS, LogBehindCheckpoint, Projector
from projections.queries import Views
from projections.rebuild import rebuild, rebuild_and_compare
from projections.views.catalogue import VIEWS
from services.projector.letters import Letters
from services.projector.service import run
from tests import projection_facts as f
from tests.log_server import LogServer
from tests.projection_facts import CYCLE, Clock, tell

if TYPE_CHECKING:
    from projections.connection import Pool

PATIENCE = 30.0
Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

LEADER = """
select pid from pg_locks where locktype = 'advisory' and granted
  and (classid::bigint << 32 | objid::bigint) = $1
"""


class Hanging(InMemoryEventStore):
    """A log that tells where it ends once, and then never answers again."""

    def __init__(self, told: InMemoryEventStore) -> None:
        super().__init__(Clock())
        self._log, self._asked = told._log, False

    async def head(self) -> int:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return await super().head()


@pytest.fixture
async def writer(server: LogServer) -> AsyncIterator[EventStore]:
    async with server.connection("admin") as connection:
        yield JetStreamEventStore(connection, lambda: datetime.now(UTC))


@pytest.fixture
async def reader(writer: EventStore, server: LogServer) -> AsyncIterator[EventStore]:
    """The log as the projector's own user sees it."""
    async with server.connection("projector") as connection:
        yield JetStreamEventStore(connection, lambda: datetime.now(UTC))


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=8) as made:
        yield made


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start services that end with the test."""
    tasks: list[asyncio.Task[None]] = []

    def begin(service: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(service))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
        await asyncio.wait({task})


async def kill_leader(pool: Pool) -> int:
    """End the leading projector's connection, as a crash of its process would; return its pid."""
    key = lock_key("aps", "lead") % 2**64
    signed = key - 2**64 if key >= 2**63 else key
    pid: int | None = None
    while pid is None:
        pid = await pool.fetchval(LEADER, signed)
    await pool.execute("select pg_terminate_backend($1)", pid)
    return pid


async def test_a_fact_on_jetstream_is_on_the_board(
    writer: EventStore, reader: EventStore, pool: Pool, start: Start
) -> None:
    views = Views(pool)
    start(run(reader, pool))
    await views.wait_until(await tell(writer, CYCLE), PATIENCE)
    (row,) = await views.improvements("toolz")
    assert (row.status, row.fixed) == ("deployment_complete", 2)
    assert await rebuild_and_compare(reader, pool) == []


async def test_the_service_goes_on_after_nats_was_killed(
    writer: EventStore, reader: EventStore, pool: Pool, server: LogServer, start: Start
) -> None:
    views = Views(pool)
    start(run(reader, pool))
    await views.wait_until(await tell(writer, CYCLE), PATIENCE)
    server.kill()
    server.start()
    await views.wait_until(await tell(writer, [("target", "toolz", f.scan_requested("s2"))]), PATIENCE)
    assert (await views.targets())[0].scan == "s2"


async def test_the_service_goes_on_after_its_database_connection_was_cut(pool: Pool, start: Start) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    start(run(store, pool))
    await views.wait_until(await tell(store, CYCLE), PATIENCE)
    await kill_leader(pool)
    await views.wait_until(await tell(store, [("target", "toolz", f.scan_requested("s2"))]), PATIENCE)
    assert await rebuild_and_compare(store, pool) == []


async def test_the_second_service_takes_over_from_a_first_that_died(pool: Pool, start: Start) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    first = start(run(store, pool))
    await views.wait_until(await tell(store, CYCLE[:10]), PATIENCE)
    start(run(store, pool))
    first.cancel()
    head = await tell(store, CYCLE[10:])
    await views.wait_until(head, PATIENCE)
    assert [line.seq for line in await views.journal()] == list(range(1, head + 1))
    assert await rebuild_and_compare(store, pool) == []


async def test_a_leader_that_hangs_right_after_its_first_load_loses_the_lead(
    pool: Pool, start: Start
) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await tell(store, CYCLE)
    stuck = start(Projector(Hanging(store), pool).follow())
    await views.wait_until(await store.head(), PATIENCE)
    start(run(store, pool))
    await tell(store, [("improvement", "imp-9", f.discovered())])
    await views.wait_until(await store.head(), SILENT_SECONDS + PATIENCE)
    assert not stuck.done()


async def test_views_of_an_older_release_are_built_anew_at_the_start(pool: Pool, start: Start) -> None:
    store, views = InMemoryEventStore(Clock()), Views(pool)
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    newer = (replace(VIEWS[0], version=VIEWS[0].version + 1), *VIEWS[1:])
    for _ in range(2):
        start(run(store, pool, newer))
    await views.wait_until(await tell(store, [("target", "toolz", f.scan_requested("s2"))]), PATIENCE)
    assert await rebuild_and_compare(store, pool, newer) == []


async def test_an_older_release_leaves_the_views_of_a_newer_one_alone(pool: Pool) -> None:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    await rebuild(store, pool, (replace(VIEWS[0], version=VIEWS[0].version + 1), *VIEWS[1:]))
    with pytest.raises(OtherVersions, match="run the release they belong to"):
        await run(store, pool)


async def told_by_hand(server: LogServer, writer: EventStore, kind: str) -> int:
    """Put an event of a type that this release does not know behind the facts of imp-1."""
    history, at = await writer.read("improvement", "imp-1")
    envelope = replace(
        history[-1].envelope,
        id=str(uuid4()),
        type=kind,
        data={"rank": 9, "reason": "told by a newer release"},
        sequence=at.version + 1,
        prevhash=at.hash,
    ).sealed()
    async with server.connection("admin") as admin:
        told = await admin.jetstream().publish(
            place("improvement/imp-1", kind.split(".")[2]), envelope.encode()
        )
    return told.seq


async def letters_of(server: LogServer) -> list[dict[str, Any]]:
    async with server.connection("projector") as connection:
        page = await StreamReader(connection, DEAD_LETTER_STREAM).page(0, 100)
    return [orjson.loads(letter.body) for letter in page]


async def test_an_event_of_a_newer_release_is_kept_told_and_applied_after_the_upgrade(
    writer: EventStore,
    reader: EventStore,
    pool: Pool,
    server: LogServer,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    views, kind = Views(pool), "aps.improvement.reprioritised.v2"
    await tell(writer, [("improvement", "imp-1", f.discovered()), ("improvement", "imp-2", f.discovered())])
    seq = await told_by_hand(server, writer, kind)
    async with server.connection("projector") as connection:
        for _ in range(2):
            # the second knows nothing of the first, and tells nothing twice
            running = start(run(reader, pool, tell=Letters(connection).tell))
            head = await tell(writer, [("improvement", f"imp-{uuid4().hex}", f.discovered())])
            await views.wait_until(head, PATIENCE)
            running.cancel()
    (letter,) = await letters_of(server)
    assert (letter["role"], letter["seq"], letter["subject"]) == (
        "projector",
        seq,
        "aps.v1.improvement.imp-1.reprioritised",
    )
    assert kind in letter["reason"]
    assert len(await views.improvements()) == 4
    monkeypatch.setitem(FACTS, kind, Reprioritised)  # as the next release declares it
    await rebuild(reader, pool)
    row = await views.improvement("imp-1")
    assert row is not None
    assert (row.rank, row.version) == (9, 2)
    assert await views.poisoned() == ()


async def test_a_log_deleted_under_a_running_service_ends_it_and_says_what_to_do(
    writer: EventStore, reader: EventStore, pool: Pool, server: LogServer, start: Start
) -> None:
    running = start(run(reader, pool))
    await Views(pool).wait_until(await tell(writer, CYCLE), PATIENCE)
    async with server.connection("admin") as admin:
        await admin.request("$JS.API.STREAM.DELETE.APS", timeout=10)
    with pytest.raises(LogBehindCheckpoint, match=r"the log is gone .*aps restore --journal"):
        await asyncio.wait_for(running, PATIENCE)
    with pytest.raises(LogBehindCheckpoint, match="the log is gone"):
        await asyncio.wait_for(run(reader, pool), PATIENCE)


async def test_a_log_that_lost_events_ends_the_service(pool: Pool) -> None:
    store, lost = InMemoryEventStore(Clock()), InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    await tell(lost, CYCLE[:-2])
    await Projector(store, pool).catch_up()
    with pytest.raises(LogBehindCheckpoint, match="2 events are gone"):
        await run(lost, pool)
    assert issubclass(LogBehindCheckpoint, Broken)
