"""What happens to the log from outside: each is told clearly, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from events.evidence.verify import verify
from events.improvement_facts import Unblocked
from events.jetstream.log import JetStreamEventStore
from events.jetstream.restoring import Restoring
from events.jetstream.stream_reader import StreamReader
from events.jetstream.streams import declare
from events.store import Batch, Position, Recorded, Unavailable
from events.subjects import DEAD_LETTER_STREAM
from projections.journal_proof import journaled
from projections.projector import LogBehindCheckpoint
from projections.queries import Views
from projections.rebuild import rebuild_and_compare
from services.projector.service import run
from services.runtime.consumer import Consumer
from services.runtime.ending import end
from tests import projection_facts as facts
from tests.cluster_servers import connected
from tests.log_server import NATS, LogServer, started
from tests.log_writers import Writers

if TYPE_CHECKING:
    from projections.connection import Pool

pytestmark = pytest.mark.slow
figures = logging.getLogger("figures")  # shown by: pytest -o log_cli=true --log-cli-level=INFO

PATIENCE = 30.0
BETWEEN_RESTARTS = 2.0

Begin = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


def now() -> datetime:
    return datetime.now(UTC)


class Seeing:
    """An agent that takes note of what it is given."""

    role = "pm"

    def __init__(self, reaction: Callable[[Recorded], Awaitable[None]] | None = None) -> None:
        """`reaction` is what it does about it."""
        self.seen: asyncio.Queue[str] = asyncio.Queue()
        self._reaction = reaction

    async def react(self, event: Recorded) -> None:
        """Take note."""
        if self._reaction is not None:
            await self._reaction(event)
        self.seen.put_nowait(event.envelope.address.id)

    async def until(self, id: str) -> None:
        """Wait until it was given an event of an aggregate."""
        async with asyncio.timeout(PATIENCE):
            while await self.seen.get() != id:
                pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LogServer]:
    log_server = started(tmp_path)
    yield log_server
    log_server.kill()


@pytest.fixture
async def admin(server: LogServer) -> AsyncIterator[Client]:
    await server.wipe()
    async with server.connection("admin") as connection:
        yield connection


@pytest.fixture
def log(admin: Client) -> JetStreamEventStore:
    return JetStreamEventStore(admin, now, patience=3.0)


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Start services that end with the test."""
    tasks: list[asyncio.Task[None]] = []

    def start(service: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(service))
        return tasks[-1]

    yield start
    for task in tasks:
        if not task.done():
            await end(task)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=6) as made:
        yield made


async def discover(log: JetStreamEventStore, id: str) -> None:
    """Tell of a new improvement."""
    batch = Batch("improvement", id, Position(), (facts.discovered(title=id),))
    await log.append_many([batch], facts.because(1))


async def whole(log: JetStreamEventStore) -> list[Recorded]:
    """Return the log, which must hold in itself."""
    events = [event async for event in log.read_all()]
    assert list(verify(events)) == []
    return events


async def saying(said: list[dict[str, object]], words: str) -> dict[str, object]:
    """Wait for a line of the log of a service."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for line in said:
                if words in str(line):
                    return line
            await asyncio.sleep(0.05)


async def restart_again_and_again(server: LogServer, seconds: float) -> int:
    """Kill the server -9 every two seconds; it is started again at once."""
    clock = asyncio.get_running_loop().time
    until, count = clock() + seconds, 0
    while clock() < until:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.sleep(BETWEEN_RESTARTS)
        count += 1
    return count


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.long)])
async def test_a_storm_of_reconnects_loses_nothing(
    server: LogServer, admin: Client, log: JetStreamEventStore, seconds: int
) -> None:
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(8):
            connections.append(await connected("cli", [server.url]))
            stack.push_async_callback(connections[-1].close)
        writers = Writers(connections)
        writers.start()
        try:
            await writers.each_goes_on()
            restarts = await restart_again_and_again(server, seconds)
            await writers.each_goes_on()
        finally:
            await writers.stop()
    figures.info("%d restarts, %s", restarts, writers.figures())
    assert restarts >= seconds // 4
    assert writers.read_back, "no restart hit an append"
    writers.assert_kept([event async for event in log.read_all()])
    assert writers.broken() == []


async def test_a_deleted_consumer_is_named_and_works_again_once_it_is_declared(
    server: LogServer, admin: Client, log: JetStreamEventStore, begin: Begin
) -> None:
    agent = Seeing()
    async with server.connection("pm") as connection:
        begin(Consumer(connection, agent).run())
        with capture_logs() as said:
            await discover(log, "before")
            await agent.until("before")
            await admin.request("$JS.API.CONSUMER.DELETE.APS.pm", timeout=5)
            await discover(log, "meanwhile")
            line = await saying(said, "the consumer is gone: run `aps setup`")
            assert (line["role"], "consumer not found" in str(line["problem"])) == ("pm", True), line
            assert await declare(admin, NATS) == []
            await agent.until("meanwhile")
    assert len(await whole(log)) == 2


async def test_a_stream_deleted_under_a_running_system_is_put_back_and_all_goes_on(
    server: LogServer, admin: Client, log: JetStreamEventStore, pool: Pool, begin: Begin
) -> None:
    agent, views = Seeing(), Views(pool)
    async with server.connection("pm") as connection, server.connection("projector") as reader:
        projecting = begin(run(JetStreamEventStore(reader, now, patience=2.0), pool))
        begin(Consumer(connection, agent).run())
        with capture_logs() as said:
            for number in range(20):
                await discover(log, f"before-{number}")
            await agent.until("before-19")
            await views.wait_until(20, PATIENCE)
            before = await whole(log)
            await admin.request("$JS.API.STREAM.DELETE.APS", timeout=5)
            with pytest.raises(Unavailable, match="APS"):
                await discover(log, "meanwhile")
            await saying(said, "the consumer is gone: run `aps setup`")
            with pytest.raises(LogBehindCheckpoint, match="aps restore --journal"):
                await asyncio.wait_for(projecting, PATIENCE)
            assert await restored(admin, pool) == 20
            begin(run(JetStreamEventStore(reader, now), pool))
            await discover(log, "afterwards")
            await agent.until("afterwards")
            await views.wait_until(21, PATIENCE)
    assert (await whole(log))[:20] == before
    assert await rebuild_and_compare(log, pool) == []


async def restored(admin: Client, pool: Pool) -> int:
    """Declare the stream and put back what the journal has, as `aps setup` and `aps restore` do."""
    assert await declare(admin, NATS) == []
    async with pool.acquire() as database, database.transaction(isolation="repeatable_read", readonly=True):
        return await Restoring(admin).restore(journaled(database))


async def test_malformed_json_from_outside_is_a_dead_letter_and_the_service_goes_on(
    server: LogServer, admin: Client, log: JetStreamEventStore, begin: Begin
) -> None:
    agent = Seeing()
    async with server.connection("pm") as connection:
        begin(Consumer(connection, agent).run())
        await discover(log, "before")
        await admin.request("aps.v1.improvement.foreign.discovered", b'{"half', timeout=5)
        await discover(log, "after")
        await agent.until("after")
        letter = await StreamReader(admin, DEAD_LETTER_STREAM).last("aps.dead.pm.>")
        assert letter is not None
        assert b"aps.v1.improvement.foreign.discovered" in letter.body
        assert b"no event envelope" in letter.body
        for id, version in (("before", 1), ("after", 1), ("foreign", 0)):
            assert (await log.read("improvement", id))[1].version == version


async def test_a_fact_over_the_size_limit_is_a_dead_letter_that_says_so(
    server: LogServer, admin: Client, log: JetStreamEventStore, begin: Begin
) -> None:
    async def answer_too_much(event: Recorded) -> None:
        if event.envelope.address.id == "large":
            _, at = await log.read("improvement", "large")
            batch = Batch("improvement", "large", at, (Unblocked(reason="x" * 1_000_000),))
            await log.append_many([batch], facts.because(2))

    agent = Seeing(answer_too_much)
    async with server.connection("pm") as connection:
        begin(Consumer(connection, agent).run())
        with capture_logs() as said:
            await discover(log, "large")
            await discover(log, "small")
            await agent.until("small")
            line = await saying(said, "dead letter")
    assert "is the limit of an event" in str(line["reason"]), line
    assert "aps.v1.improvement.large.unblocked" in str(line["reason"])
    assert len(await whole(log)) == 2


async def test_a_clock_that_runs_backwards_changes_no_order_and_no_view(
    admin: Client, pool: Pool, begin: Begin
) -> None:
    class Clock:
        now = datetime.now(UTC)

        def __call__(self) -> datetime:
            self.now -= timedelta(hours=1)
            return self.now

    log, views = JetStreamEventStore(admin, Clock()), Views(pool)
    begin(run(log, pool))
    for number, (aggregate, id, fact) in enumerate(facts.CYCLE):
        position = await log.position(aggregate, id)
        await log.append_many([Batch(aggregate, id, position, (fact,))], facts.because(number))
    await views.wait_until(len(facts.CYCLE), PATIENCE)
    events = await whole(log)
    for id in {event.envelope.subject for event in events}:
        times = [event.envelope.at for event in events if event.envelope.subject == id]
        assert times == sorted(times)
    assert await rebuild_and_compare(log, pool) == []
