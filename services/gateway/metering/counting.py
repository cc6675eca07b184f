"""Counts the measurements of the stream into the tallies, from wherever they were counted to last."""

import asyncio
from collections.abc import Sequence

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
        """Count what comes next; false where nothing does."""
        stood, made = await self._kept.reached(), await self._reader.made()
        here = stood
        if stood.stream != made:
            here = Reached(made, latest=stood.latest, counted_before=stood.latest)
        page = await self._reader.page(here.seq, PAGE)
        if not page:
            return False
        if here.seq and page[0].seq > here.seq + 1:
            log.warning("measurements were gone before they were counted", missing=page[0].seq - here.seq - 1)
        after, fresh = counted(here, page)
        try:
            await self._kept.add(stood, after, tallied(fresh), now())
        except Overtaken:
            log.info("another gateway counted these measurements")
        return True


def counted(stood: Reached, page: Sequence[Stored]) -> tuple[Reached, list[Kept]]:
    """Return how far a stream is counted with a page, and what of that was not counted before."""
    came = [kept for stored in page if (kept := _read(stored))]
    before = stood.counted_before
    fresh = [kept for kept in came if before is None or kept.at > before]
    latest = max((one for one in (stood.latest, *(kept.at for kept in came)) if one), default=None)
    after = Reached(stood.stream, page[-1].seq, len(page) - len(came), latest, before)
    return after, fresh


def _read(stored: Stored) -> Kept | None:
    try:
        return Kept.model_validate_json(stored.body)
    except ValidationError as problem:
        log.warning("a message of the stream is no measurement", seq=stored.seq, problem=str(problem)[:300])
        return None
