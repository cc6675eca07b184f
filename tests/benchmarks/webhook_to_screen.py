"""How long it takes from sending a signed delivery until its event is heard on the gateway's stream.

Deliveries are GitHub's own examples, sent steadily, whether those before were answered or not. The gateway
is a program of its own; one process sends and listens, by one clock. Each has to be heard once.
"""

import argparse
import asyncio
import itertools
import os
import re
import sys
import time
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from schemas.access import Role
from services.access.tokens import grant
from tests.benchmarks.measuring.line import Line, at_most, tell
from tests.benchmarks.measuring.program import Served, gateway
from tests.gateway_place import CAUSE
from tests.webhook_deliveries import GITHUB, by_github, examples

LONGEST = 1 << 22  # of a line of the stream
PATIENCE = 30.0  # for the last of them, after it was sent
WARMING = 100
_subject = re.compile(rb'"subject":"delivery/github-([^"]+)"')


@dataclass
class Screen:
    """When each delivery was sent, and how long after that it was heard."""

    sent: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    answered: list[float] = field(default_factory=list)

    async def listen(self, answer: aiohttp.ClientResponse, number: int) -> None:
        """Hear `number` deliveries."""
        async for line in answer.content:
            if found := _subject.search(line):
                key = found[1].decode()
                assert key not in self.took, f"{key} was told twice"
                self.took[key] = time.perf_counter() - self.sent[key]
                if len(self.took) == number:
                    return

    async def send(self, session: aiohttp.ClientSession, url: str, key: str, event: str, body: bytes) -> None:
        headers = by_github(key, event, body)
        begun = self.sent[key] = time.perf_counter()
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == web.HTTPAccepted.status_code, await answer.text()
        self.answered.append(time.perf_counter() - begun)


async def seen(served: Served, session: aiohttp.ClientSession, per_second: float, number: int) -> Screen:
    """Send `number` deliveries and hear them."""
    async with served.ground.log("cli") as (_, book):
        token = await grant(book, "a bench", Role.VIEWER, CAUSE)
    own = {"Authorization": f"Bearer {token.text}"}
    screen, keys = Screen(), (f"{os.getpid()}-{token.id}-{n}" for n in itertools.count())
    bodies = itertools.islice(itertools.cycle(examples()), number)
    async with (
        session.get(f"{served.url}/api/events/stream", headers=own) as stream,
        asyncio.TaskGroup() as all,
    ):
        await stream.content.readuntil(b"\n\n")
        listening = all.create_task(screen.listen(stream, number))
        begun = time.perf_counter()
        for place, one in enumerate(bodies):
            await asyncio.sleep(begun + place / per_second - time.perf_counter())
            all.create_task(screen.send(session, served.url + GITHUB, next(keys), one.event, one.body))
        async with asyncio.timeout(PATIENCE):
            await listening
    return screen


async def measure(per_second: float, number: int) -> None:
    unbound = aiohttp.ClientTimeout(total=None)
    async with (
        gateway() as served,
        aiohttp.ClientSession(timeout=unbound, read_bufsize=LONGEST) as session,
    ):
        await seen(served, session, per_second, WARMING)
        screen = await seen(served, session, per_second, number)
    delays = [1000 * took for took in screen.took.values()]
    tell(Line("webhook_to_screen_p50", round(at_most(0.5, delays), 3), "ms"))
    tell(Line("webhook_to_screen_p99", round(at_most(0.99, delays), 3), "ms"))
    answers = [1000 * took for took in screen.answered]
    sys.stderr.write(
        f"webhook_to_screen: {len(delays)} deliveries at {per_second:g}/s; the answer to the delivery itself "
        f"took {at_most(0.5, answers):.1f} ms, 99 of 100 at most {at_most(0.99, answers):.1f} ms\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="measure how soon a delivery is seen by who listens")
    parser.add_argument("--per-second", type=float, default=100)
    parser.add_argument("--number", type=int, default=1000)
    asked = parser.parse_args()
    asyncio.run(measure(asked.per_second, asked.number))
