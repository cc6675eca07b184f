"""One cycle as a command runs it: asked for, followed to its end, told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from rich.console import Console

from events.target import TARGET
from services.asking.readiness import unready
from services.asking.team import limits_of
from services.asking.waiting import free
from services.cli.cycle.afterwards import afterwards, first_words, undone
from services.cli.cycle.one_scan import PM, one_scan
from services.cli.cycle.watching import Following, follow
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, print_json, say
from services.cli.swarm.running import EVERYONE, Make, service_of, swarm
from services.cycle.looking import found_by
from services.cycle.outcome import Outcome, outcome_of
from services.cycle.report import details_of, html, markdown
from services.cycle.requesting import Asked, Wish, ask, locate
from services.cycle.table import show
from services.runtime.data_folder import DataFolder, make_folder
from services.runtime.ground import actor, stand
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.room import refuse_without_room
from services.runtime.settings import Settings


@asynccontextmanager
async def _cycle(
    settings: Settings, wish: Wish, names: tuple[str, ...], make: Callable[[Asked], Make]
) -> AsyncIterator[Following]:
    """Ask for a cycle and run the named services, made for what was asked, until the block ends."""
    refuse_without_room([settings.home])
    async with stand(settings, say) as ground, ground.log("cli") as (connection, book):
        for note in ground.notes:
            say(f"note: {note}")
        bench = await workbench("cli", settings, book)
        place = await locate(wish.target, bench.workspace, bench.sandbox)
        await _freed(book, settings, place.id)
        asked = await ask(book, place, wish, actor("cli"))
        for note in asked.place.inspection.notes:
            say(f"note: {note}")
        if asked.followed:
            say(f"{asked.scan} is under way already: following it to its end, with the options it began with")
        async with swarm(ground, names, make(asked)) as running:
            yield Following(bench, asked, running, connection)


async def _freed(book: Log, settings: Settings, target: str) -> None:
    """Let what was found last in a target go on where its budget has room by now: it is followed then."""
    scan = (await book.state(TARGET, target)).latest
    found = scan.done.improvements if scan and scan.done else ()
    for id in await free(book, limits_of(settings), found, actor("cli")):
        say(f"{id} waits for its budget no longer")


async def request(settings: Settings, wish: Wish, *, as_json: bool) -> None:
    """Have what a person asked for done, and tell what came of it.

    Ends with 6 where no engine can be asked, with 1 where the request ended without being done.
    """
    if problem := await unready(settings, wish.engine):
        raise Stop(Exit.UNAVAILABLE, problem)
    if undone(await improve(settings, wish, as_json=as_json)):
        raise Stop(Exit.FAILED, "what was asked for was not done")


async def improve(settings: Settings, wish: Wish, *, as_json: bool) -> Outcome:
    """Run one cycle to its end, tell what came of it, keep the report, and return the outcome."""
    async with _cycle(settings, wish, EVERYONE, lambda _: service_of) as cycle:
        await follow(cycle)
        bench, asked = cycle.bench, cycle.asked
        outcome = await outcome_of(bench.book, bench.workspace, asked.place.id, asked.scan)
        if outcome.failure:
            raise Stop(Exit.FAILED, outcome.failure)
        earlier = _earlier_report(outcome, settings.home) if outcome.nothing_new else None
        report = earlier or await _save_report(bench.book, outcome, settings.home)
    if as_json:
        print_json(outcome)
    elif outcome.nothing_new and outcome.improvements:
        typer.echo(first_words(outcome))
    else:
        show(outcome, Console())
    for line in afterwards(outcome, report, invocation(), asked.place.inspection.notes):
        say(line)
    return outcome


async def _save_report(book: Log, outcome: Outcome, home: Path) -> Path:
    """Write the report of a cycle for people and return the page to open."""
    details = await details_of(book, outcome)
    folder = DataFolder(home).reports
    make_folder(folder, 0o755)
    page = folder / f"{outcome.scan}.html"
    page.with_suffix(".md").write_text(markdown(outcome, details, invocation()), "utf-8")
    page.write_text(html(outcome, details, invocation()), "utf-8")
    return page


def _earlier_report(outcome: Outcome, home: Path) -> Path | None:
    """Return the page of the last scan of this commit's target that was told before, if there is one."""
    number = int(outcome.scan.rpartition("-s")[2])
    pages = (DataFolder(home).reports / f"{outcome.target_id}-s{n}.html" for n in range(number - 1, 0, -1))
    return next((page for page in pages if page.exists()), None)


async def discover(settings: Settings, wish: Wish, *, as_json: bool) -> None:
    """Only look, and tell what was found; a cycle that is unfinished stays as it is."""
    async with _cycle(settings, wish, (PM.name,), one_scan) as cycle:
        await follow(cycle)
        found = await found_by(cycle.bench.book, cycle.asked.place.id, cycle.asked.scan)
    if as_json:
        print_json(found)
        return
    for line in found.lines():
        typer.echo(line)
