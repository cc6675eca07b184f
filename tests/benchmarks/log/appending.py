"""Appends beside bare publishes of as many bytes by the client library, with the same concurrency header."""

import asyncio
import time
from uuid import uuid4

from nats.aio.client import Client

from events.jetstream.log import JetStreamEventStore
from events.jetstream.stream_reader import EXPECTED
from events.store import Batch, Conflict, Position
from events.subjects import aggregate_subjects
from tests.benchmarks.log.content import AGGREGATE, CAUSE, fact, now, place
from tests.benchmarks.log.loading import name
from tests.benchmarks.measuring.line import Line, at_most, beside, in_turns

APPENDERS = 256
STORES = 4  # that know nothing of each other, as services do
PUBLISH = "nats-py publish with the expected-version header"


class Peer:
    """Publishes as the client library does, one message at a time, in the order of each aggregate."""

    def __init__(self, connection: Client, body: bytes) -> None:
        self._jetstream = connection.jetstream()
        self._body = body

    async def publish(self, id: str, last: int) -> int:
        headers = {EXPECTED: str(last), f"{EXPECTED}-Subject": aggregate_subjects(AGGREGATE, id)}
        return int((await self._jetstream.publish(place(id), self._body, headers=headers)).seq)

    async def rate(self, each: int) -> float:
        run = uuid4().hex[:8]

        async def appender(number: int) -> None:
            last = 0
            for _ in range(each):
                last = await self.publish(f"{run}-{number}", last)

        begun = time.perf_counter()
        await asyncio.gather(*(appender(number) for number in range(APPENDERS)))
        return APPENDERS * each / (time.perf_counter() - begun)


async def append(store: JetStreamEventStore, id: str, at: Position, number: int = 0) -> Position:
    return (await store.append_many([Batch(AGGREGATE, id, at, (fact(number),))], CAUSE))[0]


async def peer_of(connection: Client) -> Peer:
    store = JetStreamEventStore(connection, now)
    sample = f"sample-{uuid4().hex[:8]}"
    await append(store, sample, Position())
    ((recorded,), _) = await store.read(AGGREGATE, sample)
    return Peer(connection, recorded.envelope.encode())


async def append_single(connection: Client, rounds: int) -> Line:
    store, peer = JetStreamEventStore(connection, now), await peer_of(connection)
    run = uuid4().hex[:8]
    position, last = Position(), 0

    async def ours(number: int) -> float:
        nonlocal position
        begun = time.perf_counter()
        position = await append(store, f"{run}-ours", position, number)
        return 1000 * (time.perf_counter() - begun)

    async def theirs(_: int) -> float:
        nonlocal last
        begun = time.perf_counter()
        last = await peer.publish(f"{run}-theirs", last)
        return 1000 * (time.perf_counter() - begun)

    measured = await in_turns(rounds, ours, theirs)
    return beside("append_single", "ms p50", measured[0], PUBLISH, measured[1])


async def append_concurrent(connection: Client, rounds: int, each: int) -> Line:
    peer = await peer_of(connection)

    async def ours(_: int) -> float:
        store, run = JetStreamEventStore(connection, now), uuid4().hex[:8]

        async def appender(number: int) -> None:
            position = Position()
            for turn in range(each):
                position = await append(store, f"{run}-{number}", position, turn)

        begun = time.perf_counter()
        await asyncio.gather(*(appender(number) for number in range(APPENDERS)))
        return APPENDERS * each / (time.perf_counter() - begun)

    measured = await in_turns(rounds, ours, lambda _: peer.rate(max(1, each // 4)))
    return beside(
        "append_concurrent", "events/s", measured[0], f"{PUBLISH}, {APPENDERS} in flight", measured[1]
    )


async def append_at_scale(big: Client, small: Client, old: dict[str, list[int]], rounds: int) -> Line:
    """`old` names the old aggregates of each log, by number; each is read before it is appended to."""
    logs = {"big": JetStreamEventStore(big, now), "small": JetStreamEventStore(small, now)}
    turns: dict[str, int] = {"big": 0, "small": 0}

    async def appended_to(which: str) -> float:
        store, numbers = logs[which], old[which]
        id = name(numbers[turns[which] % len(numbers)])
        turns[which] += 1
        _, position = await store.read(AGGREGATE, id)
        begun = time.perf_counter()
        await append(store, id, position)
        return 1000 * (time.perf_counter() - begun)

    measured = await in_turns(rounds, lambda _: appended_to("big"), lambda _: appended_to("small"))
    return beside("append_at_scale", "ms p50", measured[0], "the same at 1,000 events", measured[1])


async def conflict_storm(connection: Client, writers: int, versions: int) -> Line:
    """Many writers on one aggregate, each going on from what it last saw; every version has one winner."""
    stores = [JetStreamEventStore(connection, now) for _ in range(STORES)]
    id, wins = f"storm-{uuid4().hex[:8]}", []

    async def writer(store: JetStreamEventStore) -> None:
        position = Position()
        while position.version < versions:
            try:
                position = await append(store, id, position)
                wins.append(position.version)
            except Conflict as conflict:
                position = conflict.found or Position()

    begun = time.perf_counter()
    await asyncio.gather(*(writer(stores[n % STORES]) for n in range(writers)))
    rate = len(wins) / (time.perf_counter() - begun)
    assert len(set(wins)) == len(wins) >= versions, "a version was won twice"
    return Line("append_conflict_storm", round(rate, 1), f"versions/s, {writers} writers")


def p99(name: str, times: list[float]) -> Line:
    return Line(name, round(at_most(0.99, times), 3), "ms p99")
