"""Runs `aps monitor`: one picture for a pipe, or the live one for a person."""

import asyncio
import sys

from services.cli.desk import at_views
from services.cli.monitor.drawing import drawn
from services.cli.monitor.looking import Look, keep_looking
from services.cli.monitor.screen import show
from services.cli.session import Exit, Stop, print_json
from services.runtime.ending import end
from services.runtime.settings import Settings

VIEWS_SECONDS = 0.5
HEALTH_SECONDS = 3.0
WHOLE = 10_000  # characters of a line that nobody cuts


async def monitor(settings: Settings, *, once: bool, as_json: bool) -> None:
    """Show the picture until told to end, or print it once."""
    if not (once or as_json or sys.stdout.isatty()):
        raise Stop(Exit.USAGE, "there is no terminal to draw in; for one picture give --once or --json")
    async with at_views(settings) as desk:
        look = Look(desk)
        await look.views()
        if once or as_json:
            await look.health()
            _print(look, as_json=as_json)
            return
        works = (keep_looking(look, VIEWS_SECONDS, HEALTH_SECONDS), show(look.picture))
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await asyncio.gather(*(end(task) for task in tasks))


def _print(look: Look, *, as_json: bool) -> None:
    if as_json:
        print_json(look.picture())
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        for line in drawn(look.picture(), console.width):
            console.print(line)
        return
    for line in drawn(look.picture(), WHOLE):
        print(line.plain.rstrip())
