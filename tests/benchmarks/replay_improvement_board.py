"""How fast the improvement board is built from nothing, beside reading the log alone: in turns, in one run.

The log holds ten real facts each of many improvements (`--aggregates`, a million events by default), one
round over all of them after the other: the events of an improvement stand as far apart as they can. The
board is replayed from JetStream into PostgreSQL, rows, key and indexes, as `aps replay` does it. Peak memory
is that of this process and of those it has fold, together; another one loads the log.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
from nats.aio.client import Client

from events import improvement_facts as i
from events.appending import prepare
from events.envelope import Cause
from events.fact import Fact
from events.jetstream.committer import Committer
from events.jetstream.log import JetStreamEventStore, messages_of
from events.lease import WorkRenewed
from events.store import Batch, Position
from projections.building import folding
from projections.rebuild import replayed
from projections.views.improvement_board import IMPROVEMENT_BOARD
from services.runtime.embedded.programs import configuration_folder
from services.runtime.embedded.servers import EmbeddedServers
from tests import projection_facts as f
from tests.benchmarks.measuring.line import Line, beside, in_turns, tell
from tests.log_server import LogServer, started

AGGREGATES = 100_000
ROUNDS = 5
BATCH = 1000
SAMPLE_SECONDS = 0.1
MIB = 1024 * 1024
CAUSE = Cause(actor="benchmark@1", source="aps/bench", correlation=str(uuid4()))
YEARS = 10**9
LIFE: tuple[Fact, ...] = (
    f.discovered(),
    f.claimed(seconds=YEARS),
    WorkRenewed(claim=2, lease_until=f.START),
    f.specified(),
    i.Reprioritised(rank=2, reason="it is asked for often"),
    i.Blocked(reason="the suite has no test of it", needs="a person"),
    i.Unblocked(reason="a test was written"),
    f.claimed("architect-1", "design", YEARS),
    f.designed(),
    f.claimed("developer-1", "change", YEARS),
)


def now() -> datetime:
    return datetime.now(UTC)


async def load(connection: Client, aggregates: int) -> None:
    """Write the life of each improvement to an empty log, a round for each fact."""
    committer = Committer(connection)
    positions = [Position()] * aggregates
    seq = size = 0
    for fact in LIFE:
        for start in range(0, aggregates, BATCH):
            batches = [
                Batch("improvement", f"imp-{n}", positions[n], (fact,))
                for n in range(start, min(start + BATCH, aggregates))
            ]
            prepared = prepare(batches, CAUSE, [now()] * len(batches))
            messages = [message for part in prepared for message in messages_of(part, "")]
            size += sum(len(message.body) for message in messages)
            last = await committer.commit(messages)
            for number, part in enumerate(prepared):
                seq += 1
                positions[start + number] = part.position(seq)
            assert last == seq, "somebody else writes to this log"
    sys.stderr.write(f"loaded {seq} events of {size // seq} bytes\n")


class Memory:
    """The peak of the memory of this process and those that fold, together, in MiB."""

    def __init__(self) -> None:
        self.peak = 0.0

    async def watch(self) -> None:
        while True:
            self.peak = max(self.peak, sum(map(_resident, ["self", *_children()])))
            await asyncio.sleep(SAMPLE_SECONDS)


def _children() -> list[str]:
    """The processes that fold; the servers, also started here, are none of them."""
    pids = [pid for tasks in Path("/proc/self/task").glob("*/children") for pid in tasks.read_text().split()]
    return [pid for pid in pids if _is_folding(pid)]


def _is_folding(pid: str) -> bool:
    with suppress(OSError):  # it ended meanwhile
        return folding.__name__ in Path(f"/proc/{pid}/cmdline").read_text()
    return False


def _resident(pid: str) -> float:
    with suppress(OSError, StopIteration):  # it ended meanwhile
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
    return 0.0


async def measure(server: LogServer, database: str, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(server.connection("projector"))
        pool = await stack.enter_async_context(asyncpg.create_pool(database, min_size=1, max_size=2))
        store = JetStreamEventStore(connection, now)
        events = await store.head()
        memory = Memory()

        async def ours(_: int) -> float:
            watching = asyncio.create_task(memory.watch())
            begun = time.perf_counter()
            async with replayed(store, pool, [IMPROVEMENT_BOARD], events) as there:
                spent = time.perf_counter() - begun
                rows = await there.connection.fetchval(
                    f"select count(*) from {there.schema}.improvement_board"  # noqa: S608 -- our own name
                )
            watching.cancel()
            assert (there.at.seq, rows) == (events, events)
            return events / spent

        async def theirs(_: int) -> float:
            begun = time.perf_counter()
            count = 0
            async for _recorded in store.read_all(0, events):
                count += 1
            assert count == events
            return events / (time.perf_counter() - begun)

        measured = await in_turns(rounds, ours, theirs)
    tell(beside("replay_improvement_board", "events/s", measured[0], "read_all", measured[1]))
    tell(Line("replay_improvement_board_memory", round(memory.peak, 1), "MiB"))


async def main(aggregates: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="aps-bench-") as folder:
        home = Path(folder)
        server = _log_in(home)
        servers = EmbeddedServers(home / "views", configuration=configuration_folder())
        try:
            await server.wipe()
            loading = await asyncio.create_subprocess_exec(
                sys.executable, __file__, "--load", str(server.port), "--aggregates", str(aggregates)
            )
            assert await loading.wait() == 0
            async with servers:
                await measure(server, servers.database_url, rounds)
        finally:
            server.kill()


def _log_in(home: Path) -> LogServer:
    home.chmod(0o711)  # PostgreSQL's user passes through it
    (home / "log").mkdir()
    return started(home / "log")


async def load_into(port: int, aggregates: int) -> None:
    server = LogServer(Path())
    server.port = port
    async with server.connection("admin") as connection:
        await load(connection, aggregates)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="measure a replay beside reading the log")
    parser.add_argument("--aggregates", type=int, default=AGGREGATES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        asyncio.run(load_into(chosen.load, chosen.aggregates))
    else:
        asyncio.run(main(chosen.aggregates, chosen.rounds))
