"""Ends the calls whose holders died: their runs, their places with the engine, what budgets hold for them."""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from events.budget import BUDGET, Released
from events.engine import ENGINE, CallBegun, CallEnded
from events.fact import Rejected
from events.run import RUN, Failed
from events.store import Conflict, Unavailable
from events.subjects import slug
from schemas.engine import FailureKind
from services.asking.accounts import UNHEARD
from services.runtime.log import Change, Loaded, Log, answering

log = structlog.get_logger()
OnState = tuple[Change, Loaded[Any]]
EVERY_SECONDS = 15.0


async def bury(book: Log, engine: str, actor: str) -> tuple[str, ...]:
    """End the calls of an engine whose leases ran out, and return their runs.

    Raises `Conflict` or `Rejected` where somebody was faster; what was buried until then stays so.
    """
    calls = (await book.state(ENGINE, slug(engine))).overdue(book.clock())
    for call in calls:
        await _bury(book, slug(engine), call, actor)
    return tuple(call.run for call in calls)


async def keep_burying(book: Log, engines: Iterable[str], actor: str, every: float = EVERY_SECONDS) -> None:
    """Look for the dead until cancelled: nobody may ask their engine again for a long time."""
    engines = tuple(engines)
    while True:
        for engine in engines:
            try:
                dead = await bury(book, engine, actor)
            except (Conflict, Rejected, Unavailable) as problem:  # the next look sees what is left
                log.info("the dead are looked for again", engine=engine, problem=str(problem))
            else:
                if dead:
                    log.warning("calls ended whose holders were not heard of again", runs=dead)
        await asyncio.sleep(every)


async def _bury(book: Log, engine: str, call: CallBegun, actor: str) -> None:
    place, run = await book.load(ENGINE, engine), await book.load(RUN, call.run)
    recorded, _ = await book.store.read(RUN.name, call.run)
    ended = CallEnded(run=call.run, failure=FailureKind.KILLED)
    changes: list[OnState] = [(Change(ENGINE, engine, (ended,)), place)]
    for budget in call.budgets:
        account = await book.load(BUDGET, budget)
        if call.run in account.state.reserved:
            changes.append((Change(BUDGET, budget, (Released(run=call.run, reason=UNHEARD),)), account))
    if run.state.ended is None:
        killed = Failed(duration_ms=0, reason=UNHEARD, kind=FailureKind.KILLED)
        changes.append((Change(RUN, call.run, (killed,)), run))
    await book.record_on(changes, answering(recorded[-1], actor))
