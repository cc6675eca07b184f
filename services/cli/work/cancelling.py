"""Ends a call of an engine by a person's word."""

from dataclasses import dataclass
from datetime import datetime

from events.run import RUN, Cancelled, Run
from services.asking.letting_go import held, let_go
from services.cli.asking import because, cause
from services.cli.desk import LogDesk, at_log, at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.ground import actor
from services.runtime.settings import Settings

PATIENCE_SECONDS = 5.0  # a living holder looks twice a second, and its program takes a moment to end


async def cancel(
    settings: Settings, id: str, reason: str, *, as_json: bool, patience: float = PATIENCE_SECONDS
) -> None:
    """Record that a run is cancelled, and tell whether whoever makes the call has ended it.

    What a dead holder left is settled once its lease is over, also where the run was cancelled before.
    """
    why = because(reason, "cancelled")
    async with at_log(settings) as desk:
        state = await run_named(desk, id)
        ended = await _ended(desk, id, state, why, patience)
    if ended is None or state.requested is None:
        raise not_found("run", id, await known_runs(settings))
    engine = state.requested.engine
    if state.ended is not None and (ended.until or not ended.held):
        raise Stop(Exit.CONFLICT, f"the run {id} is over: {state.ended.name}{_held(ended, engine, id)}")
    if as_json:
        told = {"id": id, "cancelled": True, "engine": engine, "reason": why}
        print_json({**told, "ended": ended.until is None, "held_until": ended.until})
    elif ended.until is None:
        say(f"{id} is cancelled; its call of {engine} is over, and what it reserved is free again")
    else:
        say(f"{id} is cancelled; its call of {engine} has not ended yet{_held(ended, engine, id)}")


@dataclass(frozen=True)
class _Ended:
    """Whether a call held its place and reservations before, and until when it still does."""

    held: bool
    until: datetime | None


async def _ended(desk: LogDesk, id: str, state: Run, why: str, patience: float) -> _Ended | None:
    if state.requested is None:
        return None
    engine = state.requested.engine
    before = await held(desk.book, engine, id)
    if state.ended is None:
        await desk.book.record(RUN, id, Cancelled(reason=why), cause=cause())
    seconds = patience if state.ended is None else 0.0
    return _Ended(before is not None, await let_go(desk.book, engine, id, actor("cli"), seconds))


def _held(ended: _Ended, engine: str, id: str) -> str:
    if ended.until is None:
        return ""
    return (
        f". If its process is gone, what it reserved is held until {ended.until:%Y-%m-%d %H:%M:%S} UTC, when"
        f" its lease ends; from then on PM, the next call of {engine} or this gives it back:"
        f" aps runs cancel {id}"
    )


async def run_named(desk: LogDesk, id: str) -> Run:
    """Return a run by its id; the initial state where there is none."""
    try:
        return await desk.book.state(RUN, id)
    except ValueError:  # no subject token, so no run has this id
        return RUN.initial


async def known_runs(settings: Settings) -> list[str]:
    """Return the ids of all runs."""
    async with at_views(settings) as desk:
        return [row.id for row in await desk.views.runs()]
