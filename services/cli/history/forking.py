"""Opens, lists, removes and compares forks, and tells what came of it."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from projections.views.improvement_board import ImprovementRow
from services.cli.desk import at_log, at_views, not_found
from services.cli.history.exporting import end_of
from services.cli.history.watched import Advance, progress
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, print_json, say
from services.cli.tables import show_table
from services.cycle.words import counted
from services.forking import forks
from services.forking.comparing import Comparison, Course, Since, compared, course
from services.forking.opening import Opened
from services.forking.opening import open_fork as opened_at
from services.runtime.settings import Settings
from services.workspace.fork import Fork, copy_of, fork_of

ORIGINAL = "the original"
HEX = 10
FIGURES = {
    "events": "events",
    "seconds": "seconds",
    "suite_runs": "suite runs",
    "landed": "changes landed",
    "fixed": "findings fixed",
    "improvements": "improvements",
}


async def open_fork(settings: Settings, moment: str, name: str, *, as_json: bool) -> None:
    """Open the log up to a moment."""
    if name:
        _refuse_taken(settings.home, name)
    async with at_log(settings) as desk:
        seq = await end_of(desk, moment)
        opened = await opened_at(settings, desk.connection, desk.book, name, seq, _watch)
    for note in opened.notes:
        say(f"note: {note}")
    if as_json:
        print_json(_described(opened))
        return
    fork = opened.fork
    held = f"{counted(fork.seq, 'event')}, {counted(opened.artefacts, 'artefact')}"
    print(f"fork {fork.name}: {held}, in {opened.home}")
    for id, place in opened.targets.items():
        print(f"{id} is {place}")
    say(f"work in it:   {invocation(opened.home)} improve TARGET")
    say(f"what differs: {invocation()} fork compare {fork.name}")
    say(f"remove it:    {invocation()} fork remove {fork.name}")


def _refuse_taken(home: Path, name: str) -> None:
    """Refuse a name before any server starts."""
    try:
        folder = forks.home_of(home, name)
    except forks.WrongName as wrong:
        raise Stop(Exit.USAGE, str(wrong)) from None
    if folder.exists():
        raise Stop(Exit.CONFLICT, str(forks.NameTaken(name)))


def _watch(doing: str, total: int) -> AbstractContextManager[Advance]:
    say(doing)
    return progress(doing, total)


def _described(opened: Opened) -> dict[str, object]:
    return {
        **asdict(opened.fork),
        "home": str(opened.home),
        "artefacts": opened.artefacts,
        "targets": {id: str(place) for id, place in opened.targets.items()},
        "notes": opened.notes,
    }


async def list_forks(settings: Settings, *, as_json: bool) -> None:
    """List the forks with the targets they hold; in a fork itself that one comes first."""
    found = [(fork, forks.home_of(settings.home, fork.name)) for fork in forks.every(settings.home)]
    if own := fork_of(settings.home):
        found = [(own, settings.home), *found]
    if as_json:
        print_json(
            [{**asdict(fork), "home": str(home), "targets": _held(fork, home)} for fork, home in found]
        )
        return
    show_table(
        ("NAME!", "EVENT!", "OF", "OPENED!", "STATE!", "DATA FOLDER"),
        [(f.name, f.seq, f.time, f.made, _state(f), str(home)) for f, home in found],
        empty="no forks; open one: aps fork SEQ",
    )
    for fork, home in found:
        for id, place in _held(fork, home).items():
            print(f"{fork.name}: {id} is {place}")


def _held(fork: Fork, home: Path) -> dict[str, str]:
    """Return where the copies of a fork's targets stand, by id."""
    return {id: str(copy_of(home, recorded)) for id, recorded in fork.targets.items()}


def _state(fork: Fork) -> str:
    return "ready" if fork.finished else "unfinished"


async def remove(settings: Settings, name: str, *, as_json: bool) -> None:
    """Remove a fork for good."""
    _find(settings, name)
    await forks.remove(settings.home, name)
    if as_json:
        print_json({"removed": name})
    say(f"the fork {name} is gone")


def _find(settings: Settings, name: str) -> Fork:
    try:
        return forks.find(settings.home, name)
    except forks.NoSuchFork as missing:
        raise not_found("fork", name, missing.known) from None


async def compare(settings: Settings, name: str, other: str, *, as_json: bool) -> None:
    """Compare a fork with the original, or with another fork, since they parted."""
    fork = _find(settings, name)
    against = _find(settings, other) if other else None
    seq = min(fork.seq, against.seq) if against else fork.seq
    first, board = await _course(
        _settings_of(settings, against) if against else settings, other or ORIGINAL, seq
    )
    second, other_board = await _course(_settings_of(settings, fork), name, seq)
    found = compared(seq, (first, second), (board, other_board))
    if as_json:
        print_json(found)
    else:
        _show(found)


def _settings_of(settings: Settings, fork: Fork) -> Settings:
    return forks.settings_of(forks.home_of(settings.home, fork.name))


async def _course(settings: Settings, name: str, seq: int) -> tuple[Course, Iterable[ImprovementRow]]:
    since = Since()
    async with at_views(settings) as desk:
        rows = await desk.views.improvements()
        async for event in desk.book.store.read_all(seq):
            since.add(event)
    return course(name, since, rows), rows


def _show(found: Comparison) -> None:
    one, two = found.courses
    statuses = sorted({*one.statuses, *two.statuses})
    rows = [(FIGURES[name], getattr(one, name), getattr(two, name)) for name in FIGURES]
    rows += [
        (f"  {name.replace('_', ' ')}", one.statuses.get(name, 0), two.statuses.get(name, 0))
        for name in statuses
    ]
    show_table((f"SINCE EVENT {found.seq}!", one.name.upper() + "!", two.name.upper() + "!"), rows)
    if found.differing:
        print()
        show_table(
            ("ID!", "TITLE", one.name.upper() + "!", two.name.upper() + "!"),
            [(d.id, d.title, *map(_stands, d.statuses, d.commits)) for d in found.differing],
        )
    print(f"{len(found.differing)} improvements stand otherwise, {found.equal} alike")


def _stands(status: str, commit: str) -> str:
    return f"{status.replace('_', ' ')} {commit[:HEX]}".strip() or "not there"
