"""Examines everything this system needs, even where the half of it is broken, and tells the cures."""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import nats.errors

from events.store import Broken, Unavailable
from schemas.base import Frozen
from services.cli.care import examinations
from services.cli.care.effective import settings_file
from services.cli.care.encryption import encryption, keys
from services.cli.care.examinations import Check
from services.cli.care.footing import footing
from services.cli.session import Exit, Stop, fail, print_json
from services.cli.tables import show_table
from services.gateway.health import Asker, State
from services.runtime.claims import why_paused
from services.runtime.data_folder import UnusableFolder
from services.runtime.embedded.problem import ServerProblem
from services.runtime.ground import Ground, NotReady
from services.runtime.log import Log
from services.runtime.settings import Settings, WrongSettings, load
from services.workspace.fork import fork_of

Trial = Callable[[Asker], Awaitable[Check]]
TRIALS: tuple[tuple[str, Trial], ...] = (
    ("servers", examinations.servers),
    ("versions", examinations.versions),
    ("encryption", encryption),
    ("sync", examinations.sync),
    ("streams", examinations.streams),
    ("keys", keys),
    ("permissions", examinations.permissions),
    ("projections", examinations.projections),
    ("heads", examinations.signed_heads),
    ("services", examinations.services),
)
SERVER_CURE = "see logs/nats-server.log and logs/postgres.log in APS_HOME, or NATS_URL and DATABASE_URL"
LOG_CURE = "see all that is wrong with the log: aps events verify"
REMOVAL = "it was never finished: aps fork remove NAME in the original data folder, then open it again"
TROUBLES = (
    OSError,
    TimeoutError,
    nats.errors.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    NotReady,
    Unavailable,
    Broken,
)


class Diagnosis(Frozen):
    """Every check; `state` is the worst of them."""

    state: State
    checks: tuple[Check, ...]


def begin(*, as_json: bool) -> None:
    """Refuse wrong settings as a diagnosis of its own: nothing further can be looked at."""
    try:
        load(os.environ)
    except WrongSettings as wrong:
        cure = "every name, and what it allows, is in .env.example"
        check = Check(name="settings", state=State.FAILED, detail=str(wrong), cure=cure)
        _tell(_diagnosis([examinations.python(), check]), as_json=as_json)
        fail(Exit.USAGE, str(wrong))


async def doctor(settings: Settings, *, as_json: bool) -> None:
    """Examine and tell; ends the command with 1 when a check failed."""
    found = await examined(settings)
    _tell(found, as_json=as_json)
    failed = [one.name for one in found.checks if one.state is State.FAILED]
    if failed:
        raise Stop(Exit.FAILED, f"not well: {', '.join(failed)}")


async def examined(settings: Settings) -> Diagnosis:
    """Look at everything, the machine first; what cannot be asked says why."""
    checks = [
        examinations.python(),
        await examinations.git(),
        Check(name="settings", state=State.OK, detail=f"file: {settings_file(settings.home)}"),
        *_of_fork(settings),
        await examinations.sandbox(settings),
        await examinations.disk(settings),
    ]
    try:
        async with footing(settings) as ground:
            checks += await _of_servers(ground)
    except (ServerProblem, UnusableFolder, NotReady) as problem:
        checks += _out_of_reach(str(problem))
    return _diagnosis(checks)


def _of_fork(settings: Settings) -> list[Check]:
    """Say that the data folder is a fork; nothing for any other."""
    fork = fork_of(settings.home)
    if fork is None:
        return []
    state = State.OK if fork.finished else State.FAILED
    return [Check(name="fork", state=state, detail=fork.told, cure="" if fork.finished else REMOVAL)]


async def _of_servers(ground: Ground) -> list[Check]:
    async with (
        ground.log("cli") as (connection, book),
        ground.pool(0, 2, 2) as pool,
    ):
        asker = Asker(ground, connection, book.store, pool)
        return [*[await _tried(name, trial, asker) for name, trial in TRIALS], *await _of_pause(book)]


async def _of_pause(book: Log) -> list[Check]:
    """Say that everything is paused; nothing where it is not."""
    with suppress(*TROUBLES):  # a log that cannot say so was told of by then
        if paused := await why_paused(book):
            return [Check(name="pause", state=State.DEGRADED, detail=paused)]
    return []


async def _tried(name: str, trial: Trial, asker: Asker) -> Check:
    try:
        return await trial(asker)
    except TROUBLES as problem:
        told = str(problem) or type(problem).__name__
        cure = LOG_CURE if isinstance(problem, Broken) else SERVER_CURE
        return Check(name=name, state=State.FAILED, detail=told, cure=cure)


def _out_of_reach(problem: str) -> list[Check]:
    first, *others = (name for name, _ in TRIALS)
    failed = Check(name=first, state=State.FAILED, detail=problem, cure=SERVER_CURE)
    detail = "not asked: the servers are out of reach"
    return [failed, *(Check(name=name, state=State.DEGRADED, detail=detail) for name in others)]


def _diagnosis(checks: list[Check]) -> Diagnosis:
    states = {check.state for check in checks}
    worst = next(state for state in (State.FAILED, State.DEGRADED, State.OK) if state in states)
    return Diagnosis(state=worst, checks=tuple(checks))


def _tell(found: Diagnosis, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.state, one.detail, one.cure) for one in found.checks]
    show_table(("check!", "state!", "what was found", "cure"), rows)
