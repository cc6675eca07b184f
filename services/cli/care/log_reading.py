"""Reads the log files of a data folder: the last lines of all, merged by time, and new ones as they come.

Rules
1. A line stands in `logs/<process>.jsonl` or in one of its rotated predecessors, `.jsonl.1` the youngest.
2. What a target or a server said may stand in a line: nothing in it reaches a terminal as a control.
3. A last line without its end is still being written.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from services.cli.session import Exit, Stop, say
from services.cli.swarm.swarming import until_told
from services.cycle.text import is_plain, plain_block, plain_text
from services.runtime.data_folder import DataFolder
from services.runtime.settings import Settings

POLL_SECONDS = 0.2
EVERY_LINE = 1_000_000
ROTATED = re.compile(r"(?P<process>.+)\.jsonl(?:\.(?P<age>\d+))?")
LEVELS = ("debug", "info", "warning", "error", "critical")


class LogLine(BaseModel):
    """One line as it was logged; whatever else was bound to it stands in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    time: str = ""
    level: str = "info"
    service: str = ""
    event: str = ""
    exception: str = ""


@dataclass(frozen=True)
class Choice:
    """Which lines are wanted: from a level on; of some services, none named being all."""

    least: str = "debug"
    services: tuple[str, ...] = ()

    def takes(self, line: LogLine) -> bool:
        """Whether a line is wanted."""
        level = line.level.lower()
        important = level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.least)
        return important and (not self.services or line.service in self.services)


@dataclass(frozen=True)
class Found:
    """A wanted line, and the text it was read from."""

    line: LogLine
    text: str


async def logs(settings: Settings, choice: Choice, count: int, *, follow: bool, as_json: bool) -> None:
    """Print the last `count` wanted lines, and then what comes until stopped."""
    folder = DataFolder(settings.home).logs
    if not folder.is_dir():
        raise Stop(Exit.NOT_FOUND, f"there are no logs in {folder}")
    begun = ends(folder)
    shown = last(folder, choice, count, begun)
    for found in shown:
        print(shown_as(found, as_json=as_json), flush=follow)
    if follow:
        await until_told(_follow(folder, choice, begun, as_json=as_json))
    elif count and not shown:
        _tell_nothing(folder, choice, begun)


def last(folder: Path, choice: Choice, count: int, until: dict[Path, int]) -> list[Found]:
    """Return the last wanted lines of all processes, oldest first; a file in `until` is read so far."""
    files = _processes(folder).values()
    found = [line for ageing in files for line in _last_of(ageing, choice, count, until)]
    return sorted(found, key=lambda one: one.line.time)[max(0, len(found) - count) :]


def ends(folder: Path) -> dict[Path, int]:
    """Return how long each current file is, to its last complete line."""
    return {path: path.read_bytes().rfind(b"\n") + 1 for path in folder.glob("*.jsonl")}


def read(text: str) -> LogLine | None:
    """Read one line; None for what no service logged."""
    try:
        return LogLine.model_validate_json(text)
    except ValidationError:
        return None


def _processes(folder: Path) -> dict[str, list[Path]]:
    """Return each process's files, the youngest first."""
    files: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.iterdir():
        if named := ROTATED.fullmatch(path.name):
            files.setdefault(named["process"], []).append((int(named["age"] or 0), path))
    return {process: [path for _, path in sorted(aged)] for process, aged in files.items()}


def _last_of(files: list[Path], choice: Choice, count: int, until: dict[Path, int]) -> list[Found]:
    found: list[Found] = []
    for path in files:
        content = path.read_bytes()[: until.get(path)].decode("utf-8", "replace")
        for text in reversed(content.split("\n")):
            if len(found) >= count:
                return found
            if (line := read(text)) and choice.takes(line):
                found.append(Found(line, text))
    return found


async def _follow(folder: Path, choice: Choice, begun: dict[Path, int], *, as_json: bool) -> None:
    tails = {path: Tail(path, offset) for path, offset in begun.items()}
    while True:
        _join(tails, folder)
        fresh = [one for tail in tails.values() for one in tail.fresh() if choice.takes(one.line)]
        for found in sorted(fresh, key=lambda one: one.line.time):
            print(shown_as(found, as_json=as_json), flush=True)
        await asyncio.sleep(POLL_SECONDS)


def _join(tails: dict[Path, "Tail"], folder: Path) -> None:
    """Follow the files of processes that began meanwhile, from their beginning."""
    for path in folder.glob("*.jsonl"):
        tails.setdefault(path, Tail(path, 0))


class Tail:
    """The lines added to one file since it was last asked, followed through its rotation."""

    def __init__(self, path: Path, offset: int) -> None:
        """Begin after `offset` bytes."""
        self._path = path
        self._file: TextIO | None = None
        self._offset = offset
        self._rest = ""

    def fresh(self) -> Iterator[Found]:
        """Yield the lines completed since the last call."""
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open(encoding="utf-8", errors="replace", newline="\n")
            self._file.seek(self._offset)
        yield from self._completed(self._file)
        if self._is_rotated(self._file):
            yield from self._completed(self._file)
            self._file.close()
            self._file, self._offset = None, 0

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _completed(self, file: TextIO) -> Iterator[Found]:
        *texts, self._rest = (self._rest + file.read()).split("\n")
        for text in texts:
            if line := read(text):
                yield Found(line, text)

    def _is_rotated(self, file: TextIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True


def shown_as(found: Found, *, as_json: bool) -> str:
    """Return a line for people, or as it was logged."""
    return _raw(found) if as_json else _readable(found)


def _raw(found: Found) -> str:
    """Return the line as it was logged; what JSON leaves bare and a terminal would obey is escaped."""
    return "".join(c if is_plain(c) else json.dumps(c)[1:-1] for c in found.text)


def _readable(found: Found) -> str:
    line = found.line
    bound = line.model_extra or {}
    more = " ".join(f"{plain_text(name)}={plain_text(str(bound[name]))}" for name in sorted(bound))
    where = f"{plain_text(line.level):<7} {plain_text(line.service):<9}"
    text = f"{_moment(line.time)} {where} {plain_text(line.event)}  {more}".rstrip()
    return f"{text}\n{_indented(line.exception)}" if line.exception else text


def _moment(time: str) -> str:
    """Return the time to the millisecond, in UTC as it was logged."""
    day, _, rest = plain_text(time).partition("T")
    return f"{day} {rest[:12]}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in plain_block(text).split("\n"))


def _tell_nothing(folder: Path, choice: Choice, until: dict[Path, int]) -> None:
    seen = sorted({plain_text(one.line.service) for one in last(folder, Choice(), EVERY_LINE, until)})
    asked = f" of {', '.join(map(plain_text, choice.services))}" if choice.services else ""
    say(f"no line{asked} from level {choice.least} on; there are lines of: {', '.join(seen) or 'nobody'}")
