"""Runs the swarm inside a command for as long as the command needs it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial

import asyncpg

from services.cli.roles import AGENTS
from services.projector.service import run as project
from services.runtime.ground import Ground
from services.runtime.role import announce, run_role
from services.runtime.supervisor import Service, supervise

EVERYONE = (*AGENTS, "projector")


async def run_projector(ground: Ground) -> None:
    """Keep the views at the head of the log until cancelled."""
    async with (
        ground.log("projector") as (connection, book),
        asyncpg.create_pool(ground.database_url, min_size=1, max_size=4) as pool,
    ):
        service = await announce(connection, "projector", "Builds every view from the log", "projector")
        try:
            await project(book.store, pool)
        finally:
            await service.stop()


def service_of(name: str, ground: Ground) -> Service:
    """Return one of the services by name."""
    if name == "projector":
        return Service(name, partial(run_projector, ground))
    return Service(name, partial(run_role, AGENTS[name], ground))


@asynccontextmanager
async def swarm(ground: Ground, names: Iterable[str] = EVERYONE) -> AsyncIterator[asyncio.Task[None]]:
    """Run the named services for the time of the block; the task ends early only when one gave up."""
    running = asyncio.create_task(supervise([service_of(name, ground) for name in names]))
    try:
        yield running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
