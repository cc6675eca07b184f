"""Runs the projector: its connections, its answer to service discovery."""

from services.projector.letters import Letters
from services.projector.service import run
from services.projector.signing import signing
from services.runtime.ground import Ground, actor
from services.runtime.role import announce

NAME = "projector"
PURPOSE = "Builds every view from the log"


async def run_projector(ground: Ground) -> None:
    """Keep the views at the head of the log until cancelled."""
    async with (
        ground.log(NAME) as (connection, book),
        # No connection at first: what is away is waited out in `run`, from the first moment on.
        ground.pool(0, 4) as pool,
        signing(ground.settings, pool, connection),
    ):
        service = await announce(connection, NAME, PURPOSE, actor(NAME))
        try:
            await run(book.store, pool, tell=Letters(connection).tell)
        finally:
            await service.stop()
