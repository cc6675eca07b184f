"""Reads of a large log beside direct gets that decode nothing."""

import asyncio
import random
import time
from collections.abc import Sequence

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.jetstream.log import JetStreamEventStore
from events.jetstream.stream_reader import PAGE, PAGE_BYTES
from events.subjects import STREAM
from tests.benchmarks.log.appending import p99
from tests.benchmarks.log.content import AGGREGATE, now
from tests.benchmarks.log.loading import LONG, name
from tests.benchmarks.measuring.line import Line, beside, in_turns

DIRECT_GET = f"$JS.API.DIRECT.GET.{STREAM}"
OUTSTANDING = 2


def long_aggregates(aggregates: int, count: int, seed: int = 1) -> list[int]:
    """Numbers of loaded aggregates that have 15 events."""
    chance = random.Random(seed)  # noqa: S311 -- chosen by chance, not secret
    return [chance.randrange(aggregates // 2) for _ in range(count)]


async def read_aggregate(connection: Client, aggregates: int, rounds: int) -> tuple[Line, Line]:
    """Each by a store that knows nothing, after as many reads that are not counted."""
    numbers = iter(long_aggregates(aggregates, 2 * rounds + 1))
    head = await JetStreamEventStore(connection, now).head()
    chance = random.Random(2)  # noqa: S311 -- chosen by chance, not secret

    async def ours(_: int) -> float:
        store, id = JetStreamEventStore(connection, now), name(next(numbers))
        begun = time.perf_counter()
        events, _position = await store.read(AGGREGATE, id)
        took = 1000 * (time.perf_counter() - begun)
        assert len(events) == LONG
        return took

    async def theirs(_: int) -> float:
        body = orjson.dumps({"seq": chance.randint(1, head)})
        begun = time.perf_counter()
        await connection.request(DIRECT_GET, body, timeout=10)
        return 1000 * (time.perf_counter() - begun)

    await in_turns(rounds - 1, ours, theirs)
    measured = await in_turns(rounds, ours, theirs)
    return (
        beside("read_aggregate", "ms p50", measured[0], "one direct get", measured[1]),
        p99("read_aggregate_p99", measured[0]),
    )


async def as_of(connection: Client, aggregates: int, rounds: int) -> Line:
    head = await JetStreamEventStore(connection, now).head()
    chance = random.Random(3)  # noqa: S311 -- chosen by chance, not secret
    times: list[float] = []
    for number in long_aggregates(aggregates, rounds, seed=4):
        store = JetStreamEventStore(connection, now)
        begun = time.perf_counter()
        await store.as_of(AGGREGATE, name(number), chance.randint(1, head))
        times.append(1000 * (time.perf_counter() - begun))
    return p99("as_of", times)


async def read_all(connection: Client, rounds: int, events: int) -> Line:
    store = JetStreamEventStore(connection, now)

    async def ours(_: int) -> float:
        count = versions = 0
        begun = time.perf_counter()
        async for recorded in store.read_all(0, events):
            count += 1
            versions += recorded.envelope.sequence
        assert count == events <= versions
        return events / (time.perf_counter() - begun)

    async def theirs(_: int) -> float:
        begun = time.perf_counter()
        starts = range(1, events, PAGE)
        got = await asyncio.gather(*(_raw(connection, starts[n::OUTSTANDING]) for n in range(OUTSTANDING)))
        assert sum(got) == events
        return events / (time.perf_counter() - begun)

    measured = await in_turns(rounds, ours, theirs)
    return beside("read_all", "events/s", measured[0], "batched direct get, nothing decoded", measured[1])


async def _raw(connection: Client, starts: Sequence[int]) -> int:
    """Fetch pages one after the other over one subscription; return how many messages came."""
    count = 0
    ended = asyncio.Event()

    async def receive(message: Msg) -> None:
        nonlocal count
        if message.headers and "Status" in message.headers:
            ended.set()
        else:
            count += 1

    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, cb=receive)
    for start in starts:
        ended.clear()
        body = {"seq": start, "batch": PAGE, "max_bytes": PAGE_BYTES, "next_by_subj": ">"}
        await connection.publish(DIRECT_GET, orjson.dumps(body), reply=inbox)
        await ended.wait()
    await subscription.unsubscribe()
    return count
