"""Tells how every component is, asked as the gateway asks, whether a gateway runs or not."""

import asyncpg

from services.cli.session import Exit, Stop, print_json
from services.cli.tables import show_table
from services.gateway.health import Asker, Health, State, health
from services.runtime.ground import Ground, stand
from services.runtime.settings import Settings

ACCEPTED = {"ok": (State.OK,), "degraded": (State.OK, State.DEGRADED)}


async def status(settings: Settings, least: str | None, *, as_json: bool) -> None:
    """Print the health; ends the command with 6 when it is worse than `least`."""
    async with stand(settings) as ground:
        found = await _asked(ground)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if least is not None and found.state not in ACCEPTED[least]:
        failing = [one.name for one in found.components if one.state not in ACCEPTED[least]]
        raise Stop(Exit.UNAVAILABLE, f"{found.state}: {', '.join(failing)}; see: aps doctor")


async def _asked(ground: Ground) -> Health:
    async with (
        ground.log("cli") as (connection, book),
        asyncpg.create_pool(ground.database_url, min_size=0, max_size=4, timeout=2) as pool,
    ):
        return await health(Asker(ground, connection, book.store, pool))


def _show(found: Health) -> None:
    rows = [
        (one.name, one.state, f"{one.detail} ({', '.join(one.instances)})" if one.instances else one.detail)
        for one in found.components
    ]
    show_table(("component!", "state!", "detail"), rows)
    if not any(one.instances for one in found.components):
        print("no service runs now; commands such as `aps improve` run what they need, `aps up` runs all")
