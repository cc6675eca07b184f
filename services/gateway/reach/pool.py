"""The database as the gateway's requests use it: nobody waits for PostgreSQL while that is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from projections.connection import Connection, Pool
from services.gateway.reach.reach import Reach

RELEASE_SECONDS = 10.0
AWAY_SECONDS = (
    0.2  # a connection that nothing comes over any more is not made ready for the next: it is ended
)


class ReachedPool:
    """A pool of connections, as far as views and measures ask it. It stays the caller's."""

    def __init__(self, pool: Pool, reach: Reach) -> None:
        """`reach` is the way to the pool's server."""
        self._pool = pool
        self._reach = reach

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """Give a connection for the time of the block."""
        async with self._reach.awaited():
            connection = await self._pool.acquire()
            try:
                yield connection
            finally:
                seconds = AWAY_SECONDS if self._reach.is_away else RELEASE_SECONDS
                await self._pool.release(connection, timeout=seconds)

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Return the rows of a statement."""
        async with self.acquire() as connection:
            return await connection.fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: Any) -> Any:
        """Return the first row of a statement, None where there is none."""
        async with self.acquire() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        """Return the first value of a statement."""
        async with self.acquire() as connection:
            return await connection.fetchval(statement, *arguments)
