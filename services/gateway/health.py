"""Asks every component how it is, each by a real request with a deadline.

Rules
1. `failed` fails the whole (503). `degraded` does not: what is missing is wanted, but the rest works.
2. An agent without a sandbox does not start, so where agents run elsewhere their absence tells it.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncpg
import nats.errors
from nats.aio.client import Client

from events.jetstream.streams import compare
from events.rights import SERVICES
from events.store import EventStore
from projections.queries import Views
from schemas.base import Frozen
from services.gateway.streams import letter_counts
from services.runtime.answering import copies
from services.runtime.embedded.programs import configuration_folder
from services.runtime.ground import Ground
from services.runtime.room import RESERVE
from services.runtime.version import own_version
from services.sandbox.detect import detect
from services.sandbox.port import GIB, MIB, NoSandbox
from services.workspace.fork import fork_of

DEADLINE_SECONDS = 3.0
LAG_DEGRADED = 100
ANOTHER_LOG = "the views were built from another log"
LAG_FAILED = 10_000
DISK_DEGRADED = GIB
DISK_FAILED = 100 * MIB


class State(StrEnum):
    """How a component is."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


class Component(Frozen):
    """One component: what it said, how long it took to say so, and which copies of a service run."""

    name: str
    state: State
    detail: str
    milliseconds: int = 0
    figures: dict[str, int] = {}
    instances: tuple[str, ...] = ()


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
        "dead_letters": letters_open,
        "sandbox": sandbox_level,
        "disk": disk_space,
    }
    if asker.ground.settings.fork:
        questions = {"fork": fork_apart, **questions}
    answered, services = await asyncio.gather(
        asyncio.gather(*(asked(name, asker, ask) for name, ask in questions.items())), services_answer(asker)
    )
    return summed(answered + list(services))


def summed(components: list[Component]) -> Health:
    """Return the whole of some components."""
    states = {component.state for component in components}
    worst = next(s for s in (State.FAILED, State.DEGRADED, State.OK) if s in states or s is State.OK)
    return Health(state=worst, version=own_version(), components=tuple(components))


async def ready(asker: Asker) -> Health:
    """Ask only what requests need: the log and the views."""
    return summed(
        list(
            await asyncio.gather(
                asked("nats", asker, nats_answers), asked("postgresql", asker, postgresql_answers)
            )
        )
    )


async def asked(name: str, asker: Asker, ask: Callable[[Asker], Awaitable[Answer]]) -> Component:
    """Ask one component; never raises for what keeps it from answering."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(asker.deadline):
            state, detail, *figures = await ask(asker)
    except TimeoutError:
        state, detail, figures = State.FAILED, f"no answer within {asker.deadline:.0f} s", []
    except Exception as problem:  # noqa: BLE001 -- whatever keeps it from answering is what is told
        state, detail, figures = State.FAILED, str(problem) or type(problem).__name__, []
    spent = round((time.monotonic() - began) * 1000)
    return Component(
        name=name, state=state, detail=detail, milliseconds=spent, figures=figures[0] if figures else {}
    )


async def fork_apart(asker: Asker) -> Answer:
    """Say that this is a fork, and of what."""
    fork = fork_of(asker.ground.settings.home)
    return State.OK, fork.told if fork else "its marker is gone"


async def nats_answers(asker: Asker) -> Answer:
    """Ask the server for a round trip."""
    if not asker.connection.is_connected:
        return State.FAILED, "not connected; connecting again"
    began = time.monotonic()
    await asker.connection.flush(timeout=2)
    spent = round((time.monotonic() - began) * 1_000_000)
    return State.OK, f"round trip {spent} µs", {"round_trip_us": spent}


async def streams_as_declared(asker: Asker) -> Answer:
    """Compare streams and consumers with their declaration."""
    drift = await compare(asker.connection, configuration_folder(), asker.ground.settings.nats_replicas)
    if drift:
        first = drift[0]
        told = f"{first.where}: {first.field} is {first.found!r}, declared {first.declared!r}"
        more = f", and {len(drift) - 1} more" if len(drift) > 1 else ""
        return State.FAILED, f"{told}{more}; run `aps setup`"
    head = await asker.store.head()
    return State.OK, f"as declared; the log has {head} events", {"events": head}


async def postgresql_answers(asker: Asker) -> Answer:
    """Run a statement."""
    version = await asker.pool.fetchval("select current_setting('server_version')")
    return State.OK, f"PostgreSQL {version}"


async def projections_lag(asker: Asker) -> Answer:
    """Compare the views' checkpoint with the head of the log, and its hash with the event there."""
    views = Views(asker.pool)
    at, head = await views.checkpoint(), await asker.store.head()
    if not at.seq:
        return State.OK if head <= LAG_DEGRADED else State.DEGRADED, f"none of {head} events applied yet"
    lag = head - at.seq
    told_of = await views.poisoned()
    poisoned = sum(one.blocks for one in told_of)
    strange = len(told_of) - poisoned
    figures = {"checkpoint": at.seq, "head": head, "lag": lag, "poisoned": poisoned, "unreadable": strange}
    if lag < 0:
        return State.FAILED, f"{ANOTHER_LOG}, which ends at {head} and not at {at.seq}", figures
    async for recorded in asker.store.read_all(after=at.seq - 1, until=at.seq):
        if recorded.envelope.hash != at.hash:
            return State.FAILED, f"{ANOTHER_LOG}: its event {at.seq} is another", figures
    worse = State.FAILED if lag > LAG_FAILED else State.DEGRADED
    told = f"; {poisoned} events could not be applied" if poisoned else ""
    if strange:  # kept and told, and in nobody's way
        told += f"; messages that are no events, passed over: {strange}"
    state = worse if lag > LAG_DEGRADED or poisoned else State.OK
    return state, f"{lag} events behind the log{told}", figures


async def letters_open(asker: Asker) -> Answer:
    """Count the events that a role gave up on, and that nobody did anything about: they are work not done."""
    number = (await letter_counts(asker.connection)).open
    if not number:
        return State.OK, "none is open", {"open": 0}
    return State.DEGRADED, f"open: {number}; see: aps dead list", {"open": number}


async def sandbox_level(asker: Asker) -> Answer:
    """Tell which sandbox works here; only where the services run beside us its absence counts."""
    try:
        return State.OK, (await detect()).level
    except NoSandbox as reason:
        if asker.ground.settings.allow_unsandboxed:
            return State.DEGRADED, f"none, as APS_ALLOW_UNSANDBOXED accepts: {reason}"
        here = asker.ground.servers is not None
        return State.FAILED if here else State.DEGRADED, f"none on this machine: {reason}"


async def disk_space(asker: Asker) -> Answer:
    """Ask how much room there is for the data folder, and for the data of servers of ours."""
    ground = asker.ground
    return await room_at(ground.settings.home, *(() if ground.servers is None else (ground.servers.place,)))


async def room_at(*folders: Path) -> Answer:
    """Ask how much room the disks of some folders have, made or not, and tell of the fullest."""
    found = [(await asyncio.to_thread(shutil.disk_usage, _existing(one))).free for one in folders]
    free, folder = min(zip(found, folders, strict=True))
    told = f"{free / GIB:.1f} GiB free" if free >= GIB else f"{free // MIB} MiB free"
    if free >= DISK_DEGRADED:
        return State.OK, told, {"free_mib": free // MIB}
    waits = "work waits" if free < RESERVE else f"work waits below {RESERVE // MIB} MiB"
    state = State.FAILED if free < DISK_FAILED else State.DEGRADED
    return state, f"{told} on the disk of {folder}; {waits}", {"free_mib": free // MIB}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


async def services_answer(asker: Asker) -> tuple[Component, ...]:
    """Ask every service for a sign of life and count the copies that gave one."""
    began = time.monotonic()
    try:
        running = await copies(asker.connection)
    except nats.errors.Error:
        running = {}  # `nats` says why
    spent = round((time.monotonic() - began) * 1000)
    return tuple(_service(name, running.get(name, ()), spent) for name in SERVICES)


def _service(name: str, instances: tuple[str, ...], spent: int) -> Component:
    return Component(
        name=name,
        state=State.OK if instances else State.FAILED,
        detail=f"{len(instances)} running" if instances else "not running",
        milliseconds=spent,
        figures={"instances": len(instances)},
        instances=instances,
    )
