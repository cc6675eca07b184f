"""How fast the log is, beside the bare client library and server in the same run, in turns.

`make bench` runs it whole, which takes minutes: it loads a million events. Names choose benchmarks;
`--aggregates` (ten events each) makes the large log smaller.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from nats.aio.client import Client

from tests.benchmarks.log import appending, reading
from tests.benchmarks.log.loading import load
from tests.benchmarks.measuring.line import tell
from tests.log_server import started

SMALL_LOG = ("append_single", "append_concurrent", "conflict_storm")
LARGE_LOG = ("append_at_scale", "read_aggregate", "as_of", "read_all")
SMALL = 100  # aggregates, ten events each
ROUNDS = 7


@asynccontextmanager
async def log_of(aggregates: int) -> AsyncIterator[Client]:
    """A server with a log of old aggregates."""
    with tempfile.TemporaryDirectory(prefix="aps-bench-") as folder:
        server = started(Path(folder))
        try:
            await server.wipe()
            async with server.connection("cli") as connection:
                if aggregates:
                    count = await load(connection, aggregates)
                    sys.stderr.write(f"loaded {count} events\n")
                yield connection
        finally:
            server.kill()


async def measure_small(chosen: set[str]) -> None:
    async with log_of(0) as connection:
        if "append_single" in chosen:
            tell(await appending.append_single(connection, rounds=400))
        if "append_concurrent" in chosen:
            tell(await appending.append_concurrent(connection, ROUNDS, each=40))
        if "conflict_storm" in chosen:
            tell(await appending.conflict_storm(connection, writers=64, versions=100))


async def measure_large(chosen: set[str], aggregates: int) -> None:
    async with AsyncExitStack() as logs:
        big = await logs.enter_async_context(log_of(aggregates))
        if "read_aggregate" in chosen:
            for line in await reading.read_aggregate(big, aggregates, rounds=500):
                tell(line)
        if "as_of" in chosen:
            tell(await reading.as_of(big, aggregates, rounds=500))
        if "read_all" in chosen:
            tell(await reading.read_all(big, ROUNDS, events=min(100_000, 10 * aggregates)))
        if "append_at_scale" in chosen:
            small = await logs.enter_async_context(log_of(SMALL))
            old = {"big": reading.long_aggregates(aggregates, SMALL), "small": list(range(SMALL))}
            tell(await appending.append_at_scale(big, small, old, rounds=400))


async def main() -> None:
    parser = argparse.ArgumentParser(description="measure the event log")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SMALL_LOG + LARGE_LOG))
    parser.add_argument("--aggregates", type=int, default=100_000)
    asked = parser.parse_args()
    if unknown := set(asked.names) - {*SMALL_LOG, *LARGE_LOG}:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    chosen = set(asked.names) or {*SMALL_LOG, *LARGE_LOG}
    if chosen & {*SMALL_LOG}:
        await measure_small(chosen)
    if chosen & {*LARGE_LOG}:
        await measure_large(chosen, asked.aggregates)


if __name__ == "__main__":
    asyncio.run(main())
