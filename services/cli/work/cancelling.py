"""Ends a call of an engine by a person's word."""

from events.run import RUN, Cancelled, Run
from services.cli.asking import because, cause
from services.cli.desk import LogDesk, at_log, at_views, not_found
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.settings import Settings


async def cancel(settings: Settings, id: str, reason: str, *, as_json: bool) -> None:
    """Record that a run is cancelled; whoever makes the call sees it and ends it."""
    why = because(reason, "cancelled")
    async with at_log(settings) as desk:
        state = await run_named(desk, id)
        if state.requested is not None and state.ended is None:
            await desk.book.record(RUN, id, Cancelled(reason=why), cause=cause())
    if state.requested is None:
        raise not_found("run", id, await known_runs(settings))
    if state.ended is not None:
        raise Stop(Exit.CONFLICT, f"the run {id} is over: {state.ended.name}")
    if as_json:
        print_json({"id": id, "cancelled": True, "engine": state.requested.engine, "reason": why})
    else:
        say(f"{id} is cancelled; its call of {state.requested.engine} ends within a second or two")


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
