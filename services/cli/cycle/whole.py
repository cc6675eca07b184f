"""One cycle as a command runs it: asked for, followed to its end, told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from nats.aio.client import Client
from rich.console import Console
from rich.text import Text

from events.improvement import IMPROVEMENT
from events.subjects import parse
from events.target import TARGET
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, print_json, say, words
from services.cli.swarm.running import EVERYONE, swarm
from services.cli.work.dead_letters import letters
from services.cycle.commands import shell_word
from services.cycle.looking import found_by
from services.cycle.outcome import Outcome, outcome_of
from services.cycle.progress import CyclePhase, Progress, progress_at
from services.cycle.report import details_of, html, markdown
from services.cycle.requesting import Asked, Wish, ask, locate
from services.cycle.table import show
from services.cycle.text import plain_text
from services.runtime.data_folder import DataFolder, make_folder
from services.runtime.ground import actor, stand
from services.runtime.log import Log
from services.runtime.role import workbench
from services.runtime.room import refuse_without_room
from services.runtime.settings import Settings
from services.runtime.workbench import Workbench

LIVE_SECONDS = 0.2
PLAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Following:
    """A cycle being followed; `running` ends early only when a service gave up."""

    bench: Workbench
    asked: Asked
    running: asyncio.Task[None]
    connection: Client


@asynccontextmanager
async def _cycle(settings: Settings, wish: Wish, names: tuple[str, ...]) -> AsyncIterator[Following]:
    """Ask for a cycle and run the named services until the block ends."""
    refuse_without_room([settings.home])
    async with stand(settings, say) as ground, ground.log("cli") as (connection, book):
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
            yield Following(bench, asked, running, connection)


async def improve(settings: Settings, wish: Wish, *, as_json: bool) -> None:
    """Run one cycle to its end, tell what came of it, and keep the report."""
    async with _cycle(settings, wish, EVERYONE) as cycle:
        await _follow(cycle)
        bench, asked = cycle.bench, cycle.asked
        outcome = await outcome_of(bench.book, bench.workspace, asked.place.id, asked.scan)
        if outcome.failure:
            raise Stop(Exit.FAILED, outcome.failure)
        report = await _save_report(bench.book, outcome, settings.home)
        nothing_new = await _is_all_known(bench.book, outcome)
    if as_json:
        print_json(outcome)
    else:
        show(outcome, Console())
    for line in _next_commands(outcome, report, nothing_new=nothing_new):
        say(line)


async def _save_report(book: Log, outcome: Outcome, home: Path) -> Path:
    """Write the report of a cycle for people and return the page to open."""
    details = await details_of(book, outcome)
    folder = DataFolder(home).reports
    make_folder(folder, 0o755)
    page = folder / f"{outcome.scan}.html"
    page.with_suffix(".md").write_text(markdown(outcome, details), "utf-8")
    page.write_text(html(outcome, details), "utf-8")
    return page


async def _is_all_known(book: Log, outcome: Outcome) -> bool:
    """Whether everything the scan found had been dealt with before it."""
    done = (await book.state(TARGET, outcome.target_id)).scans[outcome.scan].done
    return done is not None and set(done.improvements) == set(done.known)


def _next_commands(outcome: Outcome, report: Path, *, nothing_new: bool) -> list[str]:
    """What a person can do now, command by command."""
    aps = invocation()
    lines = [f"report:   {report}"]
    target = shell_word(outcome.target)
    if outcome.landed:
        lines += [
            f"result:   branch {outcome.branch} in {target}",
            f"diff:     git -C {target} diff {outcome.base[:12]}..{outcome.branch}",
            f"details:  {aps} improvements show {outcome.landed[0].id}",
            f"undo one: {aps} improvements rollback {outcome.landed[0].id}",
        ]
    lines += [
        f"waiting:  {one.id} needs {one.needs.replace('aps improvements', f'{aps} improvements')}"
        for one in outcome.waiting
    ]
    if not outcome.improvements:
        lines.append("nothing that can be fixed by rule was found; try another project or other --rules")
    elif nothing_new:
        lines += [
            f"nothing new at {outcome.base[:12]}: what was found there was dealt with before",
            "try next: merge the branch and run again, another project (make run REPO=path), other --rules",
        ]
    return lines


async def discover(settings: Settings, wish: Wish, *, as_json: bool) -> None:
    """Only look, and tell what was found."""
    async with _cycle(settings, wish, ("pm",)) as cycle:
        await _follow(cycle)
        found = await found_by(cycle.bench.book, cycle.asked.place.id, cycle.asked.scan)
    if as_json:
        print_json(found)
        return
    for line in found.lines():
        typer.echo(line)


async def _follow(cycle: Following) -> None:
    """Show the progress of a cycle until nothing more happens; raises what the swarm gave up with."""
    bench, asked, running = cycle.bench, cycle.asked, cycle.running
    began = time.monotonic()
    said = ""
    interval = LIVE_SECONDS if words.is_terminal else PLAIN_SECONDS
    with words.status("starting") if words.is_terminal else contextlib.nullcontext() as status:
        while True:
            progress = await progress_at(bench.book, asked.place.id, asked.scan)
            line = _line(progress, time.monotonic() - began)
            if status is not None:
                status.update(Text(plain_text(line)))
            elif said != progress.note:
                say(line)
                said = progress.note
            if progress.phase is CyclePhase.DONE:
                return
            await _refuse_given_up(cycle)
            done, _ = await asyncio.wait({running}, timeout=interval)
            if done:
                running.result()
                raise Stop(Exit.FAILED, "the services stopped before the cycle was over; see: aps logs")


async def _refuse_given_up(cycle: Following) -> None:
    """End the command when a role gave an event of this target up: the cycle would wait for ever."""
    for letter in await letters(cycle.connection):
        if letter.closed is not None:
            continue
        address = parse(letter.subject)
        improvement = await cycle.bench.book.state(IMPROVEMENT, address.id)
        target = improvement.discovered.target if improvement.discovered else address.id
        if cycle.asked.place.id in (target, address.id) or address.id.startswith(cycle.asked.scan):
            raise Stop(
                Exit.FAILED,
                f"{letter.role} gave up on event {letter.seq} ({letter.subject}): {letter.reason}\n"
                f"see: {invocation()} dead list; then dead replay or discard {letter.number}",
            )


def _line(progress: Progress, seconds: float) -> str:
    """One line of progress: time, phase, how much of it, suite runs, time left where it is known."""
    parts = [f"{seconds:5.0f} s", f"{progress.phase.value}: {progress.note}"]
    if progress.total:
        parts.append(f"{progress.done} of {progress.total}")
    if progress.suite_runs:
        parts.append(f"{progress.suite_runs} suite runs")
    if progress.left_ms:
        parts.append(f"about {max(1, progress.left_ms // 1000)} s left")
    return "  ".join(parts)
