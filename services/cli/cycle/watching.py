"""Watches a cycle until nothing more happens, and shows how far it is.

Rules
1. On a terminal one line is drawn over and over, cut to its width; elsewhere a line is said when the news
   differ.
2. A cycle whose work a role gave up on would be waited for without end: it is refused, with what to do.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from nats.aio.client import Client
from rich.text import Text

from events.batch import BATCH
from events.catalogue import UnknownFact, read_fact
from events.deployment import DEPLOYMENT
from events.envelope import Unreadable
from events.improvement import IMPROVEMENT
from events.store import Broken
from events.subjects import Address
from events.target import TARGET
from events.unreadable import address_of
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, say, words
from services.cli.work.dead_letters import DeadLetter, given_up, letters
from services.cycle.progress import CyclePhase, Progress, progress_at
from services.cycle.requesting import Asked
from services.cycle.text import shortened
from services.cycle.words import counted, duration
from services.runtime.log import Log
from services.runtime.workbench import Workbench

LIVE_SECONDS = 0.2
PLAIN_SECONDS = 1.0
SPINNER = 3  # the columns that rich draws before the line, and the one a terminal wraps at


@dataclass(frozen=True)
class Following:
    """A cycle being followed; `running` ends early only when a service gave up."""

    bench: Workbench
    asked: Asked
    running: asyncio.Task[None]
    connection: Client


async def follow(cycle: Following) -> None:
    """Show the progress of a cycle until nothing more happens; raises what the swarm gave up with."""
    bench, asked, running = cycle.bench, cycle.asked, cycle.running
    began = time.monotonic()
    said = ""
    interval = LIVE_SECONDS if words.is_terminal else PLAIN_SECONDS
    with words.status("starting") if words.is_terminal else contextlib.nullcontext() as status:
        while True:
            progress = await progress_at(bench.book, asked.place.id, asked.scan)
            spent = time.monotonic() - began
            if status is not None:
                status.update(Text(line(progress, spent, words.width - SPINNER)))
            elif said != progress.note:
                say(line(progress, spent))
                said = progress.note
            if progress.phase is CyclePhase.DONE:
                return
            await _refuse_given_up(cycle)
            done, _ = await asyncio.wait({running}, timeout=interval)
            if done:
                running.result()
                raise Stop(Exit.FAILED, "the services stopped before the cycle was over; see: aps logs")


def line(progress: Progress, seconds: float, width: int = 0) -> str:
    """Return one line of progress; where it is wider than `width` (0: no limit) its note gives way."""
    figures = [f"{seconds:5.0f} s", f"{progress.phase.value}:"]
    after = []
    if progress.done:
        after.append(f"{progress.done} of {progress.total}")
    if progress.suite_runs and progress.phase is not CyclePhase.TRIAL:
        after.append(counted(progress.suite_runs, "suite run"))
    if progress.left_ms:
        after.append(f"about {duration(max(1, progress.left_ms // 1000))} left")
    note = progress.note
    if width:
        taken = len("  ".join([*figures, *after])) + 2
        note = shortened(note, max(1, width - taken))
    told = "  ".join([figures[0], f"{figures[1]} {note}", *after])
    return told[:width] if width else told


async def _refuse_given_up(cycle: Following) -> None:
    """End the command when a role gave up on an event of this cycle, and was not given it again since."""
    for letter in await letters(cycle.connection):
        if not letter.replayed and await is_of(cycle.bench.book, cycle.asked, letter):
            raise Stop(Exit.FAILED, given_up(letter, invocation()))


async def is_of(book: Log, asked: Asked, letter: DeadLetter) -> bool:
    """Whether a letter is about an event of the cycle that is followed."""
    address = address_of(letter.subject)
    scan = (await book.state(TARGET, asked.place.id)).scans[asked.scan]
    improvements = set(scan.done.improvements if scan.done else ())
    match address.aggregate:
        case IMPROVEMENT.name:
            return address.id in improvements
        case BATCH.name:
            formed = (await book.state(BATCH, address.id)).formed
            return formed is not None and bool(improvements & {*formed.members})
        case DEPLOYMENT.name:
            started = (await book.state(DEPLOYMENT, address.id)).started
            return started is not None and bool(improvements & {*started.improvements})
        case TARGET.name:
            return address.id == asked.place.id and await _scan_of(book, address, letter.seq) == asked.scan
        case _:
            return False


async def _scan_of(book: Log, address: Address, seq: int) -> str:
    """Return the scan that an event of a target is about; that of nothing readable is the latest."""
    latest = (await book.state(TARGET, address.id)).latest
    try:
        async for event in book.store.read_all(seq - 1, seq):
            return str(getattr(read_fact(event.envelope), "scan", ""))
    except (Broken, Unreadable, UnknownFact):
        return latest.id if latest else ""
    return ""
