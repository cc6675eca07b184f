"""Runs the projector: its connections, its answer to service discovery."""

from services.projector.letters import Letters
from services.projector.service import run
from services.projector.signing import signing
from services.runtime.announcing import announced
from services.runtime.ground import Ground, actor

NAME = "projector"
PURPOSE = "Builds every view from the log"


async def run_projector(ground: Ground) -> None:
    """Keep the views at the head of the log until cancelled."""
    async with (
        ground.log(NAME) as (connection, book),
        # No connection at first: what is away is waited out in `run`, from the first moment on.
        ground.pool(0, 4) as pool,
        signing(ground.settings, pool, connection),
        announced(connection, NAME, PURPOSE, actor(NAME)),
    ):
        await run(book.store, pool, tell=Letters(connection).tell)
