"""Tells how every component is, asked as the gateway asks, whether a gateway runs or not.

Rules
1. A service that does not run is a fault only where a gateway runs: there all are wanted. Without one,
   commands run what they need. `aps doctor` goes by the same rule.
2. `--min-health` asks for more: a service that does not run has failed.
"""

from collections.abc import Collection
from contextlib import suppress

from events.rights import SERVICES
from events.store import Unavailable
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.cycle.text import plain_text
from services.gateway.health import Asker, Component, Health, State, health
from services.runtime.claims import why_paused
from services.runtime.ground import Ground, stand
from services.runtime.settings import Settings

GATEWAY = "gateway"
ACCEPTED = {"ok": (State.OK,), "degraded": (State.OK, State.DEGRADED)}


async def status(settings: Settings, least: str | None, *, as_json: bool) -> None:
    """Print the health; ends the command with 6 when it is worse than `least`, else with 1 for a fault."""
    async with stand(settings, lost_log_too=True) as ground:
        found, paused = await _asked(ground)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if paused:
        say(plain_text(paused))
    if least is not None and found.state not in ACCEPTED[least]:
        failing = [one.name for one in found.components if one.state not in ACCEPTED[least]]
        raise Stop(Exit.UNAVAILABLE, f"{found.state}: {', '.join(failing)}; see: {invocation()} doctor")
    if least is None and (faults := faults_of(found)):
        raise Stop(Exit.FAILED, f"not well: {', '.join(faults)}; see: {invocation()} doctor")


def absent(running: Collection[str]) -> tuple[str, ...]:
    """Return the services that should run and do not: all are wanted where a gateway runs."""
    return tuple(name for name in SERVICES if name not in running) if GATEWAY in running else ()


def faults_of(found: Health) -> tuple[str, ...]:
    """Return the components that failed; services only where they should run."""
    services = [one for one in found.components if one.name in SERVICES]
    missing = absent([one.name for one in services if one.instances])
    others = [one for one in found.components if one.name not in SERVICES]
    return (*(one.name for one in others if one.state is State.FAILED), *missing)


async def _asked(ground: Ground) -> tuple[Health, str]:
    """Return the health, and why everything is paused, if it is and the log is there to say so."""
    async with (
        ground.log("cli") as (connection, book),
        ground.pool(0, 4, 2) as pool,
    ):
        found = await health(Asker(ground, connection, book.store, pool))
        with suppress(Unavailable):  # the health says so
            return found, await why_paused(book)
        return found, ""


def _state(one: Component, wanted: Collection[str]) -> str:
    """Return the state as a person reads it: a service that nobody needs now is idle."""
    idle = one.name in SERVICES and not one.instances and one.name not in wanted
    return "idle" if idle else one.state.value


def _show(found: Health) -> None:
    wanted = absent([one.name for one in found.components if one.instances])
    rows = []
    for one in found.components:
        copies = f" ({', '.join(one.instances)})" if one.instances else ""
        rows.append((one.name, _state(one, wanted), f"{one.detail}{copies}"))
    show_table(("component!", "state!", "detail"), rows)
    if not any(one.instances for one in found.components):
        print("no service runs now; commands such as `aps improve` run what they need, `aps up` runs all")
