"""Pauses everything, or one target, and lets it go on."""

from events.swarm import ALL, SWARM
from events.swarm import Paused as EverythingPaused
from events.swarm import Resumed as EverythingResumed
from events.target import TARGET, Paused, Resumed
from services.cli.asking import because, cause
from services.cli.desk import at_log, at_views
from services.cli.session import print_json, say
from services.runtime.settings import Settings


async def pause(settings: Settings, target: str, reason: str, *, as_json: bool) -> None:
    """Pause one target, or everything."""
    why = because(reason, "paused")
    if target:
        await _set(settings, target, Paused(reason=why), as_json=as_json)
        return
    async with at_log(settings) as desk:
        before = (await desk.book.state(SWARM, ALL)).paused
        if before is None:
            await desk.book.record(SWARM, ALL, EverythingPaused(reason=why), cause=cause())
    if as_json:
        print_json({"everything": True, "paused": True, "changed": before is None})
    elif before is not None:
        say(f"nothing to do: everything is paused already ({before.reason})")
    else:
        say("everything is paused: no engine is called and no work is begun; what is under way goes on")
        say("stop a call that runs with: aps runs cancel ID")


async def resume(settings: Settings, target: str, *, as_json: bool) -> None:
    """Resume one target, or everything but the targets that are paused by themselves."""
    if target:
        await _set(settings, target, Resumed(), as_json=as_json)
        return
    async with at_views(settings) as desk:
        before = (await desk.book.state(SWARM, ALL)).paused
        if before is not None:
            await desk.book.record(SWARM, ALL, EverythingResumed(), cause=cause())
        still = [row for row in await desk.views.targets() if row.paused]
    if as_json:
        still_paused = [row.id for row in still]
        changed = before is not None
        print_json({"everything": True, "paused": False, "changed": changed, "still_paused": still_paused})
        return
    say("everything goes on" if before is not None else "nothing to do: everything is running already")
    for row in still:
        say(f"{row.title} is still paused by itself; go on with: aps resume {row.title}")


async def _set(settings: Settings, named: str, fact: Paused | Resumed, *, as_json: bool) -> None:
    async with at_views(settings) as desk:
        row = await desk.target(named)
        await desk.book.record(TARGET, row.id, fact, cause=cause())
    if as_json:
        print_json([{"id": row.id, "title": row.title, "paused": isinstance(fact, Paused)}])
    else:
        say(f"{row.title} ({row.id}) is {fact.name}")
