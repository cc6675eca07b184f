"""The projector as a service: keeps the views at the log's head and waits out what is away.

A broken log, or views of a newer release, end it: going on would make things worse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
import structlog

from events.store import EventStore, Unavailable
from projections.database import SCHEMA, OtherVersions, Overtaken
from projections.projector import Projector, Tell
from projections.rebuild import rebuild
from projections.step import View
from projections.views.catalogue import VIEWS

if TYPE_CHECKING:
    from projections.connection import Pool

AWAY = (
    Unavailable,
    Overtaken,  # another projector rebuilds the views just now
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a cut connection that the client has not noticed yet
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

log = structlog.get_logger(__name__)


async def run(
    store: EventStore,
    pool: Pool,
    views: Sequence[View] = VIEWS,
    schema: str = SCHEMA,
    tell: Tell | None = None,
) -> None:
    """Project until cancelled. Any number may run: one leads, the others wait to take over.

    `tell` hears of the events that could not be applied.

    Raises `Broken` (with what to do) and `OtherVersions` when a newer release made the views.
    """
    pause = FIRST_PAUSE
    clock = asyncio.get_running_loop().time
    while True:
        begun = clock()
        try:
            await _project(store, pool, views, schema, tell)
        except AWAY as problem:
            if clock() - begun > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            log.warning("waiting to project again", problem=repr(problem), seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _project(
    store: EventStore, pool: Pool, views: Sequence[View], schema: str, tell: Tell | None
) -> None:
    try:
        await Projector(store, pool, views, schema, tell=tell).follow()
    except OtherVersions as found:
        if found.newer:
            raise
        log.info("views of an older release are built anew", schema=schema, found=str(found))
        await rebuild(store, pool, views, schema)
