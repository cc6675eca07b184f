"""Counts the measurements of the stream into the tallies, from wherever they were counted to last."""

import asyncio

import asyncpg
import structlog
from nats.aio.client import Client
from pydantic import ValidationError

from events.jetstream.stream_reader import Stored, StreamReader
from events.store import Broken, Unavailable
from events.subjects import TELEMETRY_STREAM
from services.gateway.metering.custom import Kept
from services.gateway.metering.kept import KeptTallies, Overtaken, Reached
from services.gateway.metering.tally import tallied
from services.runtime.ground import now

PAGE = 200
LOOK_SECONDS = 2.0  # for what another gateway took in
AGAIN_SECONDS = 1.0
AWAY = (Unavailable, Broken, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = structlog.get_logger()


class Counting:
    """Follows the stream while it runs; any number of gateways may."""

    def __init__(self, connection: Client, kept: KeptTallies) -> None:
        """The connection stays the caller's."""
        self._reader = StreamReader(connection, TELEMETRY_STREAM)
        self._kept = kept
        self._came = asyncio.Event()

    def tell(self) -> None:
        """Say that something came."""
        self._came.set()

    async def run(self) -> None:
        """Count until cancelled, however often the stream or the database is away."""
        while True:
            try:
                await self._kept.prepare()
                await self._follow()
            except AWAY as problem:
                log.info("measurements wait to be counted", problem=str(problem))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        while True:
            self._came.clear()
            while await self.count_page():
                pass
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._came.wait()
            except TimeoutError:
                continue

    async def count_page(self) -> bool:
        """Count what comes next; false where nothing does. A stream that is another is counted whole."""
        stood, made = await self._kept.reached(), await self._reader.made()
        before = stood.seq if stood.stream == made else 0
        page = await self._reader.page(before, PAGE)
        if not page:
            return False
        if stood.stream == made and page[0].seq > before + 1:
            log.warning("measurements were gone before they were counted", missing=page[0].seq - before - 1)
        came = [kept for stored in page if (kept := _read(stored))]
        after = Reached(made, page[-1].seq, len(page) - len(came))
        try:
            await self._kept.add(stood, after, tallied(came), now())
        except Overtaken:
            log.info("another gateway counted these measurements")
        return True


def _read(stored: Stored) -> Kept | None:
    try:
        return Kept.model_validate_json(stored.body)
    except ValidationError as problem:
        log.warning("a message of the stream is no measurement", seq=stored.seq, problem=str(problem)[:300])
        return None
