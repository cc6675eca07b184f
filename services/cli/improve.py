"""`aps improve` and `aps discover`: one cycle from the command line, followed to its end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from nats.aio.client import Client

from services.cli.session import Exit, Stop, print_json, run, say, words

LIVE_SECONDS = 0.2
PLAIN_SECONDS = 1.0

Target = Annotated[
    str, typer.Argument(help="A folder with a git repository, or sdist:NAME==VERSION.", metavar="TARGET")
]
Limit = Annotated[int, typer.Option(help="Take up at most so many improvements; 0 is all.", min=0)]
Rules = Annotated[str, typer.Option(help="Rules to look for, by comma.", metavar="RULES")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Engine = Annotated[str, typer.Option(help="The engine that writes changes.")]

ENGINES = ("deterministic",)


def improve(
    target: Target,
    engine: Engine = "deterministic",
    limit: Limit = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prove everything, land nothing.")] = False,
    rules: Rules = "",
    as_json: Json = False,
) -> None:
    """Find, plan, write, prove and land improvements of TARGET on its branch aps/improved, then stop.

    Example: aps improve ~/src/project
    Example: aps improve sdist:toolz==1.2.0 --json
    """
    _refuse_engine(engine)
    from services.cycle.requesting import Wish

    wish = Wish(target, limit=limit, dry_run=dry_run, **_rules(rules))
    run(lambda settings: _improve(settings, wish, as_json=as_json))


def discover(target: Target, rules: Rules = "", as_json: Json = False) -> None:
    """Only look: what would be improved in TARGET, in which order. Nothing is written or run.

    Example: aps discover ~/src/project
    """
    from services.cycle.requesting import Wish

    wish = Wish(target, look_only=True, **_rules(rules))
    run(lambda settings: _discover(settings, wish, as_json=as_json))


def _refuse_engine(engine: str) -> None:
    if engine not in ENGINES:
        words.print(f"no engine {engine!r}; there is: {', '.join(ENGINES)}", style="red", markup=False)
        raise typer.Exit(int(Exit.USAGE))


def _rules(text: str) -> dict[str, Any]:
    chosen = tuple(rule.strip() for rule in text.split(",") if rule.strip())
    return {"rules": chosen} if chosen else {}


@asynccontextmanager
async def _cycle(settings: Any, wish: Any, names: tuple[str, ...]) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Ask for a cycle and run the named services until the block ends."""
    from services.cli.running import swarm
    from services.cycle.requesting import ask, locate
    from services.runtime.ground import actor, stand
    from services.runtime.role import workbench

    async with stand(settings) as ground, ground.log("cli") as (_, book):
        for note in ground.notes:
            say(f"note: {note}")
        bench = await workbench("cli", settings, book)
        place = await locate(wish.target, bench.workspace, bench.sandbox)
        asked = await ask(book, place, wish, actor("cli"))
        for note in place.inspection.notes:
            say(f"note: {note}")
        if asked.followed:
            say(f"{asked.scan} is under way already: following it to its end, with the options it began with")
        async with swarm(ground, names) as running:
            yield bench, asked, running


async def _improve(settings: Any, wish: Any, *, as_json: bool) -> None:
    from services.cli.running import EVERYONE
    from services.cycle.outcome import outcome_of
    from services.cycle.saving import save_report
    from services.cycle.table import show

    async with _cycle(settings, wish, EVERYONE) as (bench, asked, running):
        await _follow(bench, asked, running)
        outcome = await outcome_of(bench.book, bench.workspace, asked.place.id, asked.scan)
        saved = await save_report(bench.book, outcome, settings.home)
    if as_json:
        print_json(outcome)
    else:
        show(outcome, saved)
    if outcome.failed:
        raise Stop(Exit.FAILED, outcome.failed)


async def _discover(settings: Any, wish: Any, *, as_json: bool) -> None:
    from services.cycle.looking import found_by, show_found

    async with _cycle(settings, wish, ("pm",)) as (bench, asked, running):
        await _follow(bench, asked, running)
        found = await found_by(bench.book, asked.place.id, asked.scan)
    if as_json:
        print_json(found)
    else:
        show_found(found)


async def _follow(bench: Any, asked: Any, running: "asyncio.Task[None]") -> None:
    """Show the progress of a cycle until nothing more happens; raises what the swarm gave up with."""
    from services.cycle.progress import Progress, observe

    began = time.monotonic()
    shown: Progress | None = None
    interval = LIVE_SECONDS if words.is_terminal else PLAIN_SECONDS
    with words.status("starting") if words.is_terminal else contextlib.nullcontext() as status:
        while True:
            progress, over = await observe(bench.book, asked.place.id, asked.scan)
            if status is not None:
                status.update(progress.line(time.monotonic() - began))
            elif shown is None or progress.headline != shown.headline:
                say(progress.line(time.monotonic() - began))
            shown = progress
            if over:
                return
            done, _ = await asyncio.wait({running}, timeout=interval)
            if done:
                running.result()
                raise Stop(Exit.FAILED, "the services stopped before the cycle was over; see: aps logs")
