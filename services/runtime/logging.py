"""Logging: one JSON object a line, on stderr and in the data folder, with every secret masked.

Lines of the standard library's loggers (nats-py, asyncio, aiohttp) come out the same way. Bind what
belongs to a piece of work with `structlog.contextvars.bind_contextvars(correlationid=…)`; a `service`
bound there goes before the one of the process, for services that share one.
"""

import fcntl
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from services.runtime.data_folder import DataFolder

_MASK = "******"
# A password inside a URL, whichever setting or library it came from.
_URL_PASSWORD = re.compile(r"(\w://[^\s:/@\"]*:)[^\s@/\"]+@")
# A token of ours, which a link, a header or an error may carry into any line.
_TOKEN = re.compile(r"aps_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}")
_FILE_BYTES = 16 * 1024**2
_FILES_KEPT = 4
# Shorter values would mask ordinary words.
_SHORTEST_SECRET = 6


def configure(
    service: str,
    home: Path,
    level: str = "info",
    *,
    console: bool = False,
    stderr: bool = True,
    secrets: Iterable[str] = (),
) -> None:
    """Send every log line of this process to stderr and to `home`/logs/`service`.jsonl.

    `console` writes stderr for a person to read, when it is a terminal; the file stays JSON. Without
    `stderr` only the file is written: a command's own words stand there. Each of
    `secrets` is masked wherever it appears. May be called again; the former files are closed.
    """
    folder = DataFolder(home).logs
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _service_of(service),
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    to_json: list[Processor] = [_brief_warning, structlog.processors.format_exc_info, _json_line]
    # Without the values of variables: a key among them has no form that could be masked.
    traces = structlog.dev.RichTracebackFormatter(show_locals=False)
    for_people: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=traces)]
    mask = _masking(secrets)
    screen = QuietScreen(sys.stderr)
    readable = console and sys.stderr.isatty()
    screen.setFormatter(_formatter(shared, for_people if readable else to_json, mask))
    file = RotatedBetweenProcesses(folder / f"{service}.jsonl")
    file.setFormatter(_formatter(shared, to_json, mask))
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
        former.close()
    root.handlers = [screen, file] if stderr else [file]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


class QuietScreen(logging.StreamHandler[TextIO]):
    """Lines for a terminal, which may be closed: what cannot be shown there still stands in the file."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the library's name
        """Go on without the line; the library would print a traceback."""


class RotatedBetweenProcesses(RotatingFileHandler):
    """A size-rotated file that several processes append to.

    Each line is one write in append mode. Whoever finds the file too long rotates it under a lock,
    and whoever finds that another did opens the fresh one. Lines that cannot be written, as on a full
    disk, are counted, and the next one that can be is preceded by their number.
    """

    _lost = 0

    def __init__(self, path: Path, max_bytes: int = _FILE_BYTES, kept: int = _FILES_KEPT) -> None:
        """Append to `path`, keeping `kept` older files."""
        super().__init__(path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8", delay=True)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 -- the library's name
        """Follow the file to where it is now, then say whether it is too long."""
        if not self._is_current():
            self._reopen()
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802 -- the library's name
        """Rotate, unless another process did while this one waited for its turn."""
        lock = os.open(f"{self.baseFilename}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_current():
                super().doRollover()
            else:
                self._reopen()
        finally:
            os.close(lock)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, after one that says how many are missing before it."""
        missing, self._lost = self._lost, 0
        if missing:
            self._end_torn_line()
            super().emit(_gap(missing))
        if self._lost:
            self._lost += missing  # still no room, for this line either
        else:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the library's name
        """Count a line as lost and forget what is left of it; the library would print a traceback."""
        self._lost += 1
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()

    def _end_torn_line(self) -> None:
        """Let the next line begin on a line of its own."""
        with suppress(OSError), Path(self.baseFilename).open("r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.write(b"\n")

    def _reopen(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream = self._open()

    def _is_current(self) -> bool:
        if self.stream is None:
            return False
        try:
            return os.path.samestat(os.fstat(self.stream.fileno()), Path(self.baseFilename).stat())
        except FileNotFoundError:
            return False


def _gap(lines: int) -> logging.LogRecord:
    told = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}
    return logging.makeLogRecord({**told, "msg": f"{lines} lines could not be written before this one"})


def _formatter(
    shared: list[Processor], render: list[Processor], mask: Processor
) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render, mask],
    )


def _service_of(service: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return add


def _brief_warning(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say in a word what a library warns of: it goes on by itself, so where in its code is no matter."""
    trouble = event.get("exc_info")
    if event.get("level") == "warning" and isinstance(trouble, tuple):
        del event["exc_info"]
        event["problem"] = repr(trouble[1])
    return event


def _json_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _masking(secrets: Iterable[str]) -> Processor:
    """Mask the rendered line: nothing that was formatted into it, tracebacks included, escapes."""
    kept = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    forms = (
        kept
        | {json.dumps(secret)[1:-1] for secret in kept}
        | {orjson.dumps(secret).decode()[1:-1] for secret in kept}
    )
    pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))) or r"(?!)")

    def mask(_: WrappedLogger, __: str, line: EventDict) -> str:
        known = _TOKEN.sub(_MASK, pattern.sub(_MASK, str(line)))
        return _URL_PASSWORD.sub(rf"\1{_MASK}@", known)

    return mask
