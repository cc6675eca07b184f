"""How long an append takes, beside a bare publish of the same bytes by the NATS client.

The two take turns, so that both meet the same weather; the medians are told, one JSON object a line.
A bare publish has no expected version, no hash chain and, for several facts, no atomicity.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream import JetStreamEventStore
from events.store import Batch, Position
from events.subjects import Address, subject
from tests.log_server import started

ROUNDS = 100
WARM_UP = 20
SIZES = (1, 10, 100)
CAUSE = Cause(actor="benchmark", source="/benchmark", correlation=str(uuid4()))


async def seconds_of(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def measure(store: JetStreamEventStore, publish: Callable[[int], Awaitable[object]], size: int) -> None:
    facts = tuple(Reprioritised(rank=rank, reason="a benchmark") for rank in range(size))
    position = Position()

    async def append() -> None:
        nonlocal position
        (position,) = await store.append_many([Batch("improvement", f"ours-{size}", position, facts)], CAUSE)

    ours: list[float] = []
    bare: list[float] = []
    for _ in range(WARM_UP + ROUNDS):
        ours.append(await seconds_of(append))
        bare.append(await seconds_of(lambda: publish(size)))
    tell(size, ours[WARM_UP:], bare[WARM_UP:])


def tell(size: int, ours: list[float], bare: list[float]) -> None:
    micro_ours, micro_bare = (round(statistics.median(times) * 1_000_000) for times in (ours, bare))
    line = {
        "benchmark": "append",
        "facts": size,
        "rounds": len(ours),
        "append_us": micro_ours,
        "bare_publish_us": micro_bare,
        "percent": round(100 * micro_ours / micro_bare),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = started(Path(folder))
        try:
            await server.wipe()
            async with server.connection("cli") as connection:
                store = JetStreamEventStore(connection, lambda: datetime.now(UTC))
                fact = Reprioritised(rank=1, reason="a benchmark")
                await store.append_many([Batch("improvement", "sample", Position(), (fact,))], CAUSE)
                ((sample, *_), _) = await store.read("improvement", "sample")
                content = sample.envelope.encode()
                where = subject(Address("improvement", "bare", fact.name))
                jetstream = connection.jetstream()

                async def publish(size: int) -> None:
                    await asyncio.gather(*(jetstream.publish(where, content) for _ in range(size)))

                for size in SIZES:
                    await measure(store, publish, size)
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(main())
