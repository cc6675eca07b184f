"""Repeats an improvement in a fork, and compares what came of it with what came of it then.

Rules
1. The fork holds the log up to the request itself, so that the same is asked for, at the same commit.
2. With `recorded` no engine is there to be called: what has no recorded answer is not answered.
3. The fork is removed however the command ends, unless it is to be kept and was opened.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from structlog.contextvars import bound_contextvars

from events.improvement import IMPROVEMENT
from services.asking.readiness import unready
from services.asking.recorded_runs import LogRecording, NotKept, recording_of
from services.asking.team import Consulting
from services.cli.cycle.watching import Following, follow
from services.cli.desk import LogDesk, at_log, not_found
from services.cli.history.comparison import Rerun, show, verdict
from services.cli.history.watched import Advance, progress
from services.cli.session import Exit, Stop, print_json, say
from services.cli.swarm.roles import AGENTS
from services.cli.swarm.running import swarm
from services.cycle.requesting import Asked, locate
from services.engines.choosing import RECORDED
from services.forking import forks
from services.forking.cycles import (
    Cycle,
    NoSuchImprovement,
    Ordered,
    UnderWay,
    last_of,
    ordered,
    read_cycle,
)
from services.forking.lending import borrowing
from services.forking.likeness import Likeness, alike
from services.forking.opening import Opened, open_fork
from services.forking.substituting import by_engine, by_recording, substituted
from services.forking.telling import told
from services.forking.weighing import weighed
from services.runtime.ground import Ground, stand
from services.runtime.log import Log
from services.runtime.role import run_role, workbench
from services.runtime.room import refuse_without_room
from services.runtime.settings import Settings
from services.runtime.supervisor import Service
from services.vault.keyring import KeyDeleted
from services.workspace.checkout import Workspace

HOME = "APS_HOME"


@dataclass(frozen=True)
class Order:
    """Which improvement to repeat, with which engine, and the name its fork is kept under, if any."""

    improvement: str
    engine: str
    keep: str


async def rerun(settings: Settings, order: Order, *, as_json: bool) -> None:
    """Repeat an improvement and tell how it compares; 1 where it was to be the same and is not."""
    refuse_without_room([settings.home])
    if order.keep:
        _refuse_name(settings.home, order.keep)
    async with at_log(settings) as desk:
        of = await _ordered(desk.book, order)
        if order.engine != RECORDED and (problem := await unready(settings, order.engine)):
            raise Stop(Exit.UNAVAILABLE, problem)
        original = await _read(desk.book, of, await last_of(desk.book, of), "reading what was done")
        recording = await _recording(desk.book, original, order)
        async with _opened(settings, desk, of, order) as opened:
            found = await _repeated(desk, opened, original, recording, order)
    if as_json:
        print_json(found)
    else:
        show(found)
    _conclude(found)


def _conclude(found: Rerun) -> None:
    """Say what it shows. Ends the command with 1 where it was to be the same and is not."""
    if found.fork:
        say(f"the fork {found.fork} is kept; remove it: aps fork remove {found.fork}")
    if found.events is not None and not found.events.equal:
        raise Stop(Exit.FAILED, verdict(found))
    say(verdict(found))


def _refuse_name(home: Path, name: str) -> None:
    try:
        taken = forks.home_of(home, name).exists()
    except forks.WrongName as wrong:
        raise Stop(Exit.USAGE, str(wrong)) from None
    if taken:
        raise Stop(Exit.CONFLICT, f"a fork {name} stands already: give another --keep")


async def _ordered(book: Log, order: Order) -> Ordered:
    try:
        of = await ordered(book, order.improvement)
    except NoSuchImprovement:
        raise not_found("improvement", order.improvement, await _known(book)) from None
    except UnderWay as early:
        raise Stop(Exit.CONFLICT, str(early)) from None
    if order.engine != RECORDED and not of.is_request:
        raise Stop(
            Exit.USAGE,
            f"{order.improvement} was found by a rule, which writes it too: {order.engine} cannot stand in"
            f" for that; repeat it with --engine {RECORDED}",
        )
    return of


async def _known(book: Log) -> list[str]:
    found = set()
    async for event in book.store.read_all():
        aggregate, _, id = event.envelope.subject.partition("/")
        if aggregate == IMPROVEMENT.name:
            found.add(id)
    return sorted(found)


async def _read(book: Log, of: Ordered, until: int, doing: str) -> Cycle:
    with progress(doing, until - of.seq) as advance:
        return await read_cycle(book, of, until, advance)


async def _recording(book: Log, original: Cycle, order: Order) -> LogRecording:
    """Read what was answered. Ends the command with 3 where that cannot be read any more."""
    if order.engine != RECORDED:
        return LogRecording(())
    try:
        return await recording_of(book, original.runs(), original.patches())
    except (KeyDeleted, NotKept) as gone:
        told = f"{order.improvement} cannot be repeated as it was recorded: {gone}"
        raise Stop(Exit.NOT_FOUND, told) from None


@asynccontextmanager
async def _opened(settings: Settings, desk: LogDesk, of: Ordered, order: Order) -> AsyncIterator[Opened]:
    """Open the fork for the time of the block, or for good."""
    name = order.keep or forks.free_name(settings.home, of.seq, "rerun")
    opened = await open_fork(settings, desk.connection, desk.book, name, of.seq, _watch)
    for note in opened.notes:
        say(f"note: {note}")
    try:
        yield opened
    finally:
        if not order.keep:
            await asyncio.shield(forks.remove(settings.home, name))


def _watch(doing: str, total: int) -> AbstractContextManager[Advance]:
    say(doing)
    return progress(doing, total)


async def _repeated(
    desk: LogDesk, opened: Opened, original: Cycle, recording: LogRecording, order: Order
) -> Rerun:
    """Have the roles do it again in the fork, and compare."""
    of = original.ordered
    if of.target not in opened.targets:
        raise Stop(Exit.FAILED, f"{of.target} has no copy in the fork: nothing can be done on it there")
    settings = forks.settings_of(opened.home)
    repository = Workspace(opened.home).repository(of.target)
    if order.engine == RECORDED:
        consult = by_recording(recording, original.runs(), repository)
    else:
        consult = by_engine(order.engine, order.improvement)
    say(f"repeating {of.scan} with the engine {order.engine}")
    async with _standing(settings, desk) as ground, ground.log("cli") as (connection, book):
        bench = await workbench("cli", settings, book)
        place = await locate(of.target, bench.workspace, bench.sandbox)
        async with swarm(ground, tuple(AGENTS), lambda name, on: _service(name, on, consult)) as running:
            await follow(Following(bench, Asked(place, of.scan, followed=True), running, connection))
        again = await _read(book, of, await book.store.head(), "reading what was done again")
        return await _compared(desk, book, (original, again), recording, opened, order)


@asynccontextmanager
async def _standing(settings: Settings, desk: LogDesk) -> AsyncIterator[Ground]:
    async with stand(settings, say) as ground:
        yield borrowing(ground, desk.ground.keyring(desk.connection))


def _service(name: str, ground: Ground, consult: Consulting) -> Service:
    """Return a service of this process that asks as `consult` gives."""
    role = substituted(AGENTS[name], consult)

    async def run() -> None:
        with bound_contextvars(service=name):
            await run_role(role, ground)

    return Service(name, run)


async def _compared(
    desk: LogDesk,
    book: Log,
    cycles: tuple[Cycle, Cycle],
    recording: LogRecording,
    opened: Opened,
    order: Order,
) -> Rerun:
    original, again = cycles
    likeness: Likeness | None = None
    if order.engine == RECORDED:
        homes = {str(opened.home): HOME}, {str(desk.ground.settings.home): HOME}
        likeness = alike(
            await told(desk.book, original, {**homes[1]}), await told(book, again, {**homes[0], **homes[1]})
        )
    answers = len(again.started)
    return Rerun(
        improvement=order.improvement,
        engine=order.engine,
        scan=original.ordered.scan,
        seq=original.ordered.seq,
        fork=order.keep,
        engine_calls=answers - recording.taken - len(recording.missed),
        answered_from_log=recording.taken,
        unanswered=tuple(dict.fromkeys(recording.missed)),
        events=likeness,
        original=await weighed(desk.book, original, order.improvement),
        rerun=await weighed(book, again, order.improvement),
    )
