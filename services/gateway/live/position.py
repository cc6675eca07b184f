"""Where the views are, told as they move: what a page shows is new when this is, or when health changed."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import asyncpg
import structlog

from projections.database import channel
from projections.queries import RECHECK_SECONDS, Views

AGAIN_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Mark:
    """Where the views are, and how often something else that pages show has changed."""

    seq: int = 0
    stirred: int = 0


class ViewsPosition:
    """Listens for the views' checkpoint; `mark` has the last that was told."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", views: Views) -> None:
        """Know nothing yet."""
        self._pool = pool
        self._views = views
        self._moved = asyncio.Event()
        self.mark = Mark()

    async def run(self) -> None:
        """Listen until cancelled, however often the database is away."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
                log.info("waiting for the views", problem=str(problem))
                await asyncio.sleep(AGAIN_SECONDS)

    async def beyond(self, mark: Mark | None) -> Mark:
        """Return the mark as soon as it is another; at once where none is given."""
        while True:
            moved = self._moved
            if self.mark != mark:
                return self.mark
            await moved.wait()

    def stir(self) -> None:
        """Tell that something pages show, and no view holds, has changed."""
        self._set(replace(self.mark, stirred=self.mark.stirred + 1))

    async def _listen(self) -> None:
        told = asyncio.Event()

        def tell(*_: object) -> None:
            told.set()

        async with self._pool.acquire() as connection:
            await connection.add_listener(channel(), tell)
            try:
                while not connection.is_closed():
                    told.clear()
                    self._set(replace(self.mark, seq=(await self._views.checkpoint()).seq))
                    with suppress(TimeoutError):
                        async with asyncio.timeout(RECHECK_SECONDS):
                            await told.wait()
            finally:
                if not connection.is_closed():
                    await connection.remove_listener(channel(), tell)

    def _set(self, mark: Mark) -> None:
        if mark != self.mark:
            self.mark = mark
            self._moved.set()
            self._moved = asyncio.Event()
