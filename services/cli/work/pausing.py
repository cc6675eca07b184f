"""Pauses targets and lets them go on."""

from events.target import TARGET, Paused, Resumed
from projections.targets import TargetRow
from services.cli.asking import because, cause
from services.cli.desk import at_views
from services.cli.session import Exit, Stop, print_json, say
from services.runtime.log import Change
from services.runtime.settings import Settings


async def pause(settings: Settings, target: str, reason: str, *, as_json: bool) -> None:
    """Pause one target, or all that are not paused."""
    await _set(settings, target, Paused(reason=because(reason, "paused")), as_json=as_json)


async def resume(settings: Settings, target: str, *, as_json: bool) -> None:
    """Resume one target, or all that are paused."""
    await _set(settings, target, Resumed(), as_json=as_json)


async def _set(settings: Settings, named: str, fact: Paused | Resumed, *, as_json: bool) -> None:
    async with at_views(settings) as desk:
        everywhere = await desk.views.targets()
        chosen = [await desk.target(named)] if named else changed(everywhere, fact)
        if chosen:
            await desk.book.record_all([Change(TARGET, row.id, (fact,)) for row in chosen], cause())
    if as_json:
        print_json([{"id": row.id, "title": row.title, "paused": isinstance(fact, Paused)} for row in chosen])
        return
    for row in chosen:
        say(f"{row.title} ({row.id}) is {fact.name}")
    if not chosen:
        say(f"nothing to do: every target is {fact.name} already")


def changed(rows: tuple[TargetRow, ...], fact: Paused | Resumed) -> list[TargetRow]:
    """Return the targets that `fact` changes; ends the command with 3 when there is no target at all."""
    if not rows:
        raise Stop(Exit.NOT_FOUND, "there is no target yet; begin with: aps improve PATH")
    return [row for row in rows if row.paused != isinstance(fact, Paused)]
