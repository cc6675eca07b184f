"""Saves of two events beside the `eventsourcing` library's PostgreSQL recorder, everything flushed.

Ours are 256 concurrent appenders on aggregates of their own: once through the services' store (hash chain
and all), once as 256 threads on the library's recorder interface over JetStream. The peer is that library's
PostgreSQL recorder with as many threads as serve it best, found before: as it comes, and with the database
functions it offers besides. NATS runs with `sync_interval: always`, PostgreSQL with `synchronous_commit=on`.
All take turns, so that all meet the same weather; the medians are told, one JSON object a line.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from eventsourcing.persistence import AggregateRecorder, InfrastructureFactory, StoredEvent

from events.jetstream.log import JetStreamEventStore
from events.store import Batch, Position
from services.runtime.embedded.servers import EmbeddedServers
from tests.benchmarks.log.content import AGGREGATE, CAUSE, fact, now
from tests.benchmarks.measuring.line import beside, tell
from tests.log_server import LogServer, started

APPENDERS = 256
THREADS = (4, 8, 16, 32)
ROUNDS = 7
ROUND_SECONDS = 2.0
SEARCH_SECONDS = 1.5
EVENT_BYTES = 600
# As the library comes, and with its PostgreSQL functions switched on.
PEERS = {"n": ("", "eventsourcing.postgres"), "y": ("_functions", "eventsourcing.postgres with functions")}
NAME = "append_vs_eventsourcing_postgres"
Save = Callable[[], None]


def per_second(new_appender: Callable[[], Save], threads: int, seconds: float) -> float:
    """Save on `threads` threads, each on an aggregate of its own, and return saves a second."""
    counts = [0] * threads
    begun = time.perf_counter()

    def run(number: int) -> None:
        save = new_appender()
        while time.perf_counter() - begun < seconds:
            save()
            counts[number] += 1

    running = [Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def through_the_library(recorder: AggregateRecorder) -> Callable[[], Save]:
    def new_appender() -> Save:
        originator, version = uuid4(), 0
        state = b"x" * EVENT_BYTES

        def save() -> None:
            nonlocal version
            events = [StoredEvent(originator, version + n, "benchmark:Event", state) for n in (1, 2)]
            recorder.insert_events(events)
            version += 2

        return save

    return new_appender


async def through_the_store(store: JetStreamEventStore) -> float:
    begun = time.perf_counter()
    facts = (fact(1), fact(2))
    count = 0

    async def append() -> None:
        nonlocal count
        name, position = f"i-{uuid4().hex}", Position()
        while time.perf_counter() - begun < ROUND_SECONDS:
            (position,) = await store.append_many([Batch(AGGREGATE, name, position, facts)], CAUSE)
            count += 1

    await asyncio.gather(*(append() for _ in range(APPENDERS)))
    return count / (time.perf_counter() - begun)


def postgres(url: str, threads: int, functions: str) -> InfrastructureFactory:  # type: ignore[type-arg]  # any
    parts = urlsplit(url)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "",
        "POSTGRES_POOL_SIZE": str(threads),
        "POSTGRES_ENABLE_DB_FUNCTIONS": functions,
        "POSTGRES_SCHEMA": "public",
    }
    return InfrastructureFactory.construct(settings)


async def best_threads(url: str, functions: str) -> int:
    """Return the number of threads that serves the peer best."""
    found: dict[int, float] = {}
    for threads in THREADS:
        with postgres(url, threads, functions) as factory:
            appender = through_the_library(factory.application_recorder())
            found[threads] = await asyncio.to_thread(per_second, appender, threads, SEARCH_SECONDS)
            factory.close()
    return max(found, key=lambda threads: found[threads])


async def assert_flushed(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for setting in ("fsync", "synchronous_commit"):
            assert await connection.fetchval(f"SHOW {setting}") == "on"
    finally:
        await connection.close()


async def compare(server: LogServer, url: str) -> None:
    await assert_flushed(url)
    threads = {functions: await best_threads(url, functions) for functions in PEERS}
    jetstream = {
        "PERSISTENCE_MODULE": "events.recorder",
        "NATS_URL": server.url.replace("nats://", "nats://admin:p-admin@"),
        "NATS_STREAM": "BENCHMARK",
    }
    rates: dict[str, list[float]] = {"": [], "_by_recorder": [], **{functions: [] for functions in PEERS}}
    async with server.connection("cli") as connection:
        store = JetStreamEventStore(connection, now)
        with ExitStack() as opened:
            ours = opened.enter_context(closing(InfrastructureFactory.construct(jetstream)))
            appender = through_the_library(await asyncio.to_thread(ours.application_recorder))
            theirs = {f: opened.enter_context(closing(postgres(url, threads[f], f))) for f in PEERS}
            peers = {f: through_the_library(factory.application_recorder()) for f, factory in theirs.items()}
            for number in range(ROUNDS + 1):
                measured = {
                    "": await through_the_store(store),
                    "_by_recorder": await asyncio.to_thread(per_second, appender, APPENDERS, ROUND_SECONDS),
                }
                for f, peer in peers.items():
                    measured[f] = await asyncio.to_thread(per_second, peer, threads[f], ROUND_SECONDS)
                for name, rate in measured.items():
                    rates[name] += [rate] if number else []  # the first round warms up
    for functions, (suffix, what) in PEERS.items():
        for how in ("", "_by_recorder"):
            peer_name = f"{what}, {threads[functions]} threads"
            tell(beside(f"{NAME}{suffix}{how}", "saves/s", rates[how], peer_name, rates[functions]))


async def main(home: Path) -> None:
    server = started(home)
    try:
        await server.wipe()
        async with EmbeddedServers(home / "home") as servers:
            await compare(server, servers.database_url)
    finally:
        server.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user
        asyncio.run(main(Path(folder)))
