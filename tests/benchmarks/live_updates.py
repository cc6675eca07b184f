"""How late updates of the log come to 500 who listen to the gateway at once, none lost and none twice.

Each listener has a connection of its own to the stream of events. The listeners are one program, the gateway
is another, and this one appends updates steadily. The delay of an update is from the time in its envelope,
taken before it is stored, until a listener has read it, by one clock of one machine.
"""

import argparse
import asyncio
import re
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial

import orjson

from events.store import Batch, Position
from schemas.access import Role
from services.access.tokens import grant
from services.runtime.ground import Ground
from tests import projection_facts as f
from tests.benchmarks.measuring.line import Line, at_most, tell
from tests.benchmarks.measuring.program import HOST, Served, gateway
from tests.gateway_place import CAUSE

LISTENERS = 500
UPDATES = 1000
PER_SECOND = 20.0
TO_A_TOKEN = 100  # a token may ask for 200 things at once
PATIENCE = 60.0  # for all to listen, and for the last update
_message = re.compile(rb'(?m)^id: (\d+)\nevent: event\ndata: .*?"time":"([^"]{20,40})"')


@lru_cache(16)
def seconds(at: bytes) -> float:
    return datetime.fromisoformat(at.decode()).timestamp()


@dataclass
class Heard:
    """What all listeners heard, and when all of it is there."""

    listeners: int
    last: int
    delays: list[float] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    begun: int = 0
    done: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Listener(asyncio.Protocol):
    """Follows the stream after a sequence to the last update; it reads no more of HTTP than it must."""

    def __init__(self, heard: Heard, request: bytes, after: int) -> None:
        """Every update after `after` is to come, in order, once."""
        self._heard = heard
        self._request = request
        self._seq = after
        self._rest = b""
        self._begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        whole, mark, self._rest = (self._rest + data).rpartition(b"\n\n")
        if mark and not self._begun:
            self._begun = True
            self._heard.begun += 1
            self._heard.changed.set()
        for id, at in _message.findall(whole):
            self._take(int(id), now - seconds(at))

    def _take(self, seq: int, delay: float) -> None:
        if seq != self._seq + 1:
            self._heard.strange.append(f"{seq} came after {self._seq}")
        self._seq = seq
        self._heard.delays.append(delay)
        if seq == self._heard.last:
            self._heard.done += 1
            self._heard.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._seq < self._heard.last:
            self._heard.strange.append(f"a stream ended at {self._seq}: {exc}")


async def listen(port: int, tokens: list[str], after: int, updates: int) -> None:
    """Say `ready` when all listen; then tell what they heard of the updates, as JSON."""
    heard = Heard(len(tokens), after + updates)
    loop, transports = asyncio.get_running_loop(), []
    for token in tokens:
        head = f"GET /api/events/stream?after={after} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
        request = f"{head}Authorization: Bearer {token}\r\n\r\n".encode()
        opening = loop.create_connection(partial(Listener, heard, request, after), HOST, port)
        transport, _ = await opening
        transports.append(transport)
    try:
        async with asyncio.timeout(PATIENCE):
            while heard.begun < heard.listeners:
                heard.changed.clear()
                await heard.changed.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while heard.done < heard.listeners and not heard.strange:
            heard.changed.clear()
            await heard.changed.wait()
    finally:
        sys.stdout.buffer.write(orjson.dumps({"strange": heard.strange[:10], "delays": heard.delays}))
        sys.stdout.flush()
        for transport in transports:
            transport.abort()


async def update(ground: Ground, per_second: float, updates: int) -> None:
    """Append that many updates steadily, each on time whatever the one before took."""
    async with ground.log("pm") as (_, book), asyncio.TaskGroup() as all:
        begun = time.perf_counter()
        for number in range(updates):
            await asyncio.sleep(begun + number / per_second - time.perf_counter())
            batch = Batch("improvement", f"imp-{number:05}", Position(), (f.discovered(number),))
            all.create_task(book.store.append_many([batch], CAUSE))


async def heard(served: Served, listeners: int, updates: int, per_second: float) -> list[float]:
    """Return the delay of each update to each listener."""
    async with served.ground.log("cli") as (_, book):
        needed = range(-(-listeners // TO_A_TOKEN))
        tokens = [(await grant(book, f"listeners {n}", Role.VIEWER, CAUSE)).text for n in needed]
        after = await book.store.head()
    given = {
        "port": served.port,
        "tokens": (tokens * TO_A_TOKEN)[:listeners],
        "after": after,
        "updates": updates,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--listen", stdin=PIPE, stdout=PIPE, env=dict(served.environ), limit=1 << 26
    )
    assert process.stdin
    assert process.stdout
    try:
        async with asyncio.timeout(2 * PATIENCE + updates / per_second):
            process.stdin.write(orjson.dumps(given) + b"\n")
            assert await process.stdout.readline() == b"ready\n"
            await update(served.ground, per_second, updates)
            found = orjson.loads(await process.stdout.read())
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    assert not found["strange"], found["strange"]
    assert len(found["delays"]) == listeners * updates
    delays: list[float] = found["delays"]
    return delays


async def measure(listeners: int, updates: int, per_second: float) -> None:
    async with gateway() as served:
        delays = [1000 * delay for delay in await heard(served, listeners, updates, per_second)]
    tell(Line("live_updates_p50", round(at_most(0.5, delays), 3), "ms"))
    tell(Line("live_updates_p99", round(at_most(0.99, delays), 3), "ms"))
    sys.stderr.write(
        f"live_updates: {listeners} listeners heard each of {updates} updates once, at {per_second:g}/s; "
        f"the latest after {max(delays):.0f} ms\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how late updates come to many who listen")
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    parser.add_argument("--listen", action="store_true", help="be the listeners that stdin tells of")
    asked = parser.parse_args()
    if asked.listen:
        asyncio.run(listen(**orjson.loads(sys.stdin.readline())))
    else:
        asyncio.run(measure(asked.listeners, asked.updates, asked.per_second))


if __name__ == "__main__":
    main()
