"""How many signed deliveries a second become stored events, beside a bare aiohttp that verifies and answers.

Both are programs of their own and are sent the same, in turns, by one process that signs each delivery and
sends it by aiohttp too: GitHub's own examples, and bodies as long as are kept in an event.
"""

import argparse
import asyncio
import hmac
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial

import aiohttp
import orjson
from aiohttp import web

from services.gateway.webhooks.storing import INLINE_BYTES
from services.runtime.embedded.addresses import free_port
from tests.benchmarks.measuring.line import beside, in_turns, tell
from tests.benchmarks.measuring.program import HOST, gateway, running
from tests.webhook_deliveries import GITHUB, PRESENT, by_github, examples

CONNECTIONS = 64
PEER = "bare aiohttp that verifies and answers"
SMALL = ("gateway_ingest", tuple((one.event, one.body) for one in examples()))
LARGE = ("gateway_ingest_48_kib", (("push", orjson.dumps({"text": "x" * (INLINE_BYTES - 11)})),))
Bodies = Sequence[tuple[str, bytes]]


def bare(port: int) -> None:
    """Serve what verifies and answers, and stores nothing."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        right = "sha256=" + hmac.new(PRESENT.encode(), body, "sha256").hexdigest()
        if not hmac.compare_digest(right, request.headers.get("X-Hub-Signature-256", "")):
            return web.json_response({"stored": False}, status=401)
        return web.json_response({"stored": False}, status=202)

    app = web.Application()
    app.router.add_post(GITHUB, take)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


async def rate(session: aiohttp.ClientSession, port: int, bodies: Bodies, keys: Iterator[str]) -> float:
    """Return how many deliveries a second are signed, sent and answered with 202."""
    left = iter(bodies)

    async def sender() -> None:
        for event, body in left:
            headers = by_github(next(keys), event, body)
            async with session.post(f"http://{HOST}:{port}{GITHUB}", data=body, headers=headers) as answer:
                assert answer.status == web.HTTPAccepted.status_code, await answer.text()
                await answer.read()

    begun = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    return len(bodies) / (time.perf_counter() - begun)


async def measure(rounds: int, each: int) -> None:
    other = free_port()
    async with (
        gateway() as served,
        running(other, [__file__, "--bare", str(other)], served.environ),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session,
    ):
        keys = (f"{os.getpid()}-{number}" for number in itertools.count())
        for name, bodies in (SMALL, LARGE):
            sent = tuple(itertools.islice(itertools.cycle(bodies), each))
            ways = [partial(_round, session, one, sent, keys) for one in (served.port, other)]
            ours, theirs = await in_turns(rounds, *ways)
            tell(beside(name, "requests/s", ours, PEER, theirs))


async def _round(
    session: aiohttp.ClientSession, port: int, sent: Bodies, keys: Iterator[str], _: int
) -> float:
    return await rate(session, port, sent, keys)


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how fast deliveries are taken")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--each", type=int, default=1000, help="deliveries in a round")
    parser.add_argument("--bare", type=int, metavar="PORT", help="serve the peer on a port")
    asked = parser.parse_args()
    if asked.bare:
        bare(asked.bare)
    else:
        asyncio.run(measure(asked.rounds, asked.each))


if __name__ == "__main__":
    main()
