"""Asks every component how it is, each by a real request with a deadline.

`down` fails the whole (503). `degraded` is told and does not: what is missing is wanted, but the rest works.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncpg
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.rights import SERVICES
from events.store import EventStore
from events.streams import compare
from projections.queries import Views
from schemas.base import Frozen
from services.runtime.embedded.programs import configuration_folder
from services.runtime.ground import Ground
from services.runtime.role import own_version
from services.sandbox.detect import detect
from services.sandbox.port import GIB, MIB, NoSandbox

DEADLINE_SECONDS = 3.0
PING_SECONDS = 0.4  # as long as answers of services are gathered
LAG_DEGRADED = 100
LAG_DOWN = 10_000
DISK_DEGRADED = GIB
DISK_DOWN = 100 * MIB


class State(StrEnum):
    """How a component is."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


class Component(Frozen):
    """One component: what it said, and how long it took to say so."""

    name: str
    state: State
    detail: str
    milliseconds: int = 0
    figures: dict[str, int] = {}


class Health(Frozen):
    """Everything that was asked; `state` is the worst that counts."""

    state: State
    version: str
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Asker:
    """What the questions go through. The caller owns connection and pool."""

    ground: Ground
    connection: Client
    store: EventStore
    pool: "asyncpg.Pool[asyncpg.Record]"
    deadline: float = DEADLINE_SECONDS


Answer = tuple[State, str] | tuple[State, str, dict[str, int]]


async def health(asker: Asker) -> Health:
    """Ask everything at once; never raises for what is away."""
    questions: dict[str, Callable[[Asker], Awaitable[Answer]]] = {
        "nats": nats_answers,
        "streams": streams_as_declared,
        "postgresql": postgresql_answers,
        "projections": projections_lag,
        "sandbox": sandbox_level,
        "disk": disk_space,
    }
    answered, services = await asyncio.gather(
        asyncio.gather(*(_asked(name, asker, ask) for name, ask in questions.items())), services_answer(asker)
    )
    return summed(answered + list(services))


def summed(components: list[Component]) -> Health:
    """Return the whole of some components."""
    states = {component.state for component in components}
    worst = next(s for s in (State.DOWN, State.DEGRADED, State.UP) if s in states or s is State.UP)
    return Health(state=worst, version=own_version(), components=tuple(components))


async def ready(asker: Asker) -> Health:
    """Ask only what requests need: the log and the views."""
    return summed(
        list(
            await asyncio.gather(
                _asked("nats", asker, nats_answers), _asked("postgresql", asker, postgresql_answers)
            )
        )
    )


async def _asked(name: str, asker: Asker, ask: Callable[[Asker], Awaitable[Answer]]) -> Component:
    began = time.monotonic()
    try:
        state, detail, *figures = await asyncio.wait_for(ask(asker), asker.deadline)
    except TimeoutError:
        state, detail, figures = State.DOWN, f"no answer within {asker.deadline:.0f} s", []
    except Exception as problem:  # noqa: BLE001 -- whatever keeps it from answering is what is told
        state, detail, figures = State.DOWN, str(problem) or type(problem).__name__, []
    spent = round((time.monotonic() - began) * 1000)
    return Component(
        name=name, state=state, detail=detail, milliseconds=spent, figures=figures[0] if figures else {}
    )


async def nats_answers(asker: Asker) -> Answer:
    """Ask the server for a round trip."""
    if not asker.connection.is_connected:
        return State.DOWN, "not connected; connecting again"
    began = time.monotonic()
    await asker.connection.flush(timeout=2)
    spent = round((time.monotonic() - began) * 1_000_000)
    return State.UP, f"round trip {spent} µs", {"round_trip_us": spent}


async def streams_as_declared(asker: Asker) -> Answer:
    """Compare streams and consumers with their declaration."""
    drift = await compare(asker.connection, configuration_folder())
    if drift:
        first = drift[0]
        told = f"{first.where}: {first.field} is {first.found!r}, declared {first.declared!r}"
        more = f", and {len(drift) - 1} more" if len(drift) > 1 else ""
        return State.DOWN, f"{told}{more}; run `aps setup`"
    head = await asker.store.head()
    return State.UP, f"as declared; the log has {head} events", {"events": head}


async def postgresql_answers(asker: Asker) -> Answer:
    """Run a statement."""
    version = await asker.pool.fetchval("select current_setting('server_version')")
    return State.UP, f"PostgreSQL {version}"


async def projections_lag(asker: Asker) -> Answer:
    """Compare the views' checkpoint with the head of the log."""
    views = Views(asker.pool)
    at, head = await views.checkpoint(), await asker.store.head()
    lag = head - at.seq
    poisoned = len(await views.poisoned()) if at.seq else 0
    figures = {"checkpoint": at.seq, "head": head, "lag": lag, "poisoned": poisoned}
    if lag < 0:
        return State.DOWN, f"the views are at {at.seq}, beyond the log's head {head}: another log", figures
    state = State.DOWN if lag > LAG_DOWN else State.DEGRADED if lag > LAG_DEGRADED or poisoned else State.UP
    told = f"; {poisoned} events could not be applied" if poisoned else ""
    return state, f"{lag} events behind the log{told}", figures


async def sandbox_level(asker: Asker) -> Answer:
    """Tell which sandbox works here; only where the services run beside us its absence counts."""
    try:
        return State.UP, (await detect()).level
    except NoSandbox as reason:
        if asker.ground.settings.allow_unsandboxed:
            return State.DEGRADED, f"none, as APS_ALLOW_UNSANDBOXED accepts: {reason}"
        here = asker.ground.servers is not None
        return State.DOWN if here else State.DEGRADED, f"none on this machine: {reason}"


async def disk_space(asker: Asker) -> Answer:
    """Ask how much room the data folder has."""
    free = (await asyncio.to_thread(shutil.disk_usage, _existing(asker.ground.settings.home))).free
    state = State.DOWN if free < DISK_DOWN else State.DEGRADED if free < DISK_DEGRADED else State.UP
    return state, f"{free / GIB:.1f} GiB free", {"free_mib": free // MIB}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


async def services_answer(asker: Asker) -> tuple[Component, ...]:
    """Ask every service for a sign of life and count the copies that gave one."""
    began = time.monotonic()
    copies = await _copies(asker.connection)
    spent = round((time.monotonic() - began) * 1000)
    return tuple(
        Component(
            name=f"service {name}",
            state=State.UP if copies[name] else State.DOWN,
            detail=f"{copies[name]} running" if copies[name] else "not running",
            milliseconds=spent,
            figures={"instances": copies[name]},
        )
        for name in SERVICES
    )


async def _copies(connection: Client) -> Counter[str]:
    """Return how many copies of each service answer a ping."""
    found: Counter[str] = Counter()

    async def count(message: Msg) -> None:
        found[str(orjson.loads(message.data).get("name", "")).removeprefix("aps-")] += 1

    if not connection.is_connected:
        return found
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, cb=count)
    try:
        await connection.publish("$SRV.PING", b"", reply=inbox)
        await asyncio.sleep(PING_SECONDS)
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()
    return found
