"""Where the views are, told as they move: what a page shows is new when this is."""

import asyncio
from contextlib import suppress

import asyncpg
import structlog

from projections.database import channel
from projections.queries import RECHECK_SECONDS, Views

AGAIN_SECONDS = 1.0

log = structlog.get_logger()


class ViewsPosition:
    """Listens for the views' checkpoint; `seq` is the last that was told."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", views: Views) -> None:
        """Know nothing yet."""
        self._pool = pool
        self._views = views
        self._moved = asyncio.Event()
        self.seq = 0

    async def run(self) -> None:
        """Listen until cancelled, however often the database is away."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
                log.info("waiting for the views", problem=str(problem))
                await asyncio.sleep(AGAIN_SECONDS)

    async def beyond(self, seq: int) -> int:
        """Return where the views are as soon as they are elsewhere than at `seq`."""
        while True:
            moved = self._moved
            if self.seq != seq:
                return self.seq
            await moved.wait()

    async def _listen(self) -> None:
        told = asyncio.Event()

        def tell(*_: object) -> None:
            told.set()

        async with self._pool.acquire() as connection:
            await connection.add_listener(channel(), tell)
            try:
                while not connection.is_closed():
                    told.clear()
                    self._set((await self._views.checkpoint()).seq)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(RECHECK_SECONDS):
                            await told.wait()
            finally:
                if not connection.is_closed():
                    await connection.remove_listener(channel(), tell)

    def _set(self, seq: int) -> None:
        if seq != self.seq:
            self.seq = seq
            self._moved.set()
            self._moved = asyncio.Event()
