"""Ground as it is: servers reached, nothing yet declared or compared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.embedded.servers import EmbeddedServers
from services.runtime.ground import Ground
from services.runtime.settings import Settings


@asynccontextmanager
async def footing(settings: Settings) -> AsyncIterator[Ground]:
    """Give the servers of the settings, brought along where none are given. Raises ServerProblem."""
    nats = settings.nats_url and settings.nats_url.get_secret_value()
    database = settings.database_url and settings.database_url.get_secret_value()
    if nats and database:
        yield Ground(settings, nats, database)
        return
    async with EmbeddedServers(settings.home) as servers:
        notes = tuple(servers.notes)
        yield Ground(settings, nats or servers.nats_url, database or servers.database_url, servers, notes)
