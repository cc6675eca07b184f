"""Watches a cycle until nothing more happens, and shows how far it is.

Rules
1. On a terminal one line is drawn over and over, cut to its width; elsewhere a line is said when the news
   differ.
2. While an engine works for the cycle, in whichever process, the line says what it does; elsewhere than on a
   terminal not more often than every `ENGINE_SECONDS`, unless another call begins.
3. That everything is paused is said on a line of its own, once, and that it goes on.
4. A cycle whose work a role gave up on would be waited for without end: it is refused, with what to do.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from nats.aio.client import Client
from rich.status import Status
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
from schemas.run_progress import RunProgress
from services.cli.cycle.listening import Heard, listening, said_of
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, say, words
from services.cli.standstill import Standstill
from services.cycle.progress import CyclePhase, Progress, progress_at
from services.cycle.requesting import Asked
from services.cycle.text import shortened
from services.cycle.words import counted, duration
from services.runtime.log import Log
from services.runtime.workbench import Workbench
from services.steering.letters import DeadLetter, given_up, letters

LIVE_SECONDS = 0.2
PLAIN_SECONDS = 1.0
ENGINE_SECONDS = 3.0
SPINNER = 3  # the columns that rich draws before the line, and the one a terminal wraps at

Show = Callable[[Progress, RunProgress | None, float], None]


@dataclass(frozen=True)
class Following:
    """A cycle being followed; `running` ends early only when a service gave up."""

    bench: Workbench
    asked: Asked
    running: asyncio.Task[None]
    connection: Client


async def follow(cycle: Following) -> None:
    """Show the progress of a cycle until nothing more happens; raises what the swarm gave up with."""
    began, heard, standstill = time.monotonic(), Heard(), Standstill()
    live = words.status("starting") if words.is_terminal else contextlib.nullcontext()
    async with listening(cycle.connection, heard):
        with live as status:
            show = Plainly() if status is None else partial(_drawn, status)
            while not await _is_over(cycle, heard, show, began):
                await standstill.look(cycle.bench.book)
                await _refuse_given_up(cycle)
                await _waited(cycle, PLAIN_SECONDS if status is None else LIVE_SECONDS)


async def _is_over(cycle: Following, heard: Heard, show: Show, began: float) -> bool:
    """Show how far the cycle is, and tell whether it is over."""
    book, asked = cycle.bench.book, cycle.asked
    progress = await progress_at(book, asked.place.id, asked.scan)
    word = heard.latest(await _improvements(book, asked))
    show(progress, word, time.monotonic() - began)
    return progress.phase is CyclePhase.DONE


async def _waited(cycle: Following, seconds: float) -> None:
    done, _ = await asyncio.wait({cycle.running}, timeout=seconds)
    if done:
        cycle.running.result()
        raise Stop(Exit.FAILED, "the services stopped before the cycle was over; see: aps logs")


def _drawn(status: Status, progress: Progress, word: RunProgress | None, seconds: float) -> None:
    status.update(Text(line(_with(progress, word), seconds, words.width - SPINNER)))


class Plainly:
    """Says a line where lines stay, when there is news."""

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._note = ""
        self._runs: set[str] = set()
        self._word: RunProgress | None = None
        self._next = 0.0

    def __call__(self, progress: Progress, word: RunProgress | None, seconds: float) -> None:
        """Say how far the cycle is after so many seconds, if that is news."""
        if progress.note == self._note and not self._is_news(word, seconds):
            return
        self._note, self._next = progress.note, seconds + ENGINE_SECONDS
        if word is not None:
            self._word = word
            self._runs.add(word.run)
        self._tell(line(_with(progress, word), seconds))

    def _is_news(self, word: RunProgress | None, seconds: float) -> bool:
        if word is None or word == self._word:
            return False
        return word.run not in self._runs or seconds >= self._next


def _with(progress: Progress, word: RunProgress | None) -> Progress:
    """Let what an engine does stand for what is generally done in the phase."""
    return progress if word is None else replace(progress, note=said_of(word))


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


async def _improvements(book: Log, asked: Asked) -> tuple[str, ...]:
    done = (await book.state(TARGET, asked.place.id)).scans[asked.scan].done
    return done.improvements if done else ()


async def is_of(book: Log, asked: Asked, letter: DeadLetter) -> bool:
    """Whether a letter is about an event of the cycle that is followed."""
    address = address_of(letter.subject)
    improvements = set(await _improvements(book, asked))
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
