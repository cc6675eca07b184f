"""What every command shares: settings, exit codes, words on stderr and JSON on stdout."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import IntEnum
from typing import Any, NoReturn, TypeVar

import orjson
import typer
from pydantic import BaseModel
from rich.console import Console

from events.fact import Rejected
from events.store import Broken, Conflict, Unavailable
from services.runtime.data_folder import UnusableFolder
from services.runtime.embedded.problem import ServerProblem
from services.runtime.ground import NotReady
from services.runtime.logging import configure
from services.runtime.settings import Settings, WrongSettings, load
from services.sandbox.port import NoSandbox
from services.workspace.git import BranchCheckedOut
from services.workspace.sdist import IndexUnreachable, UnknownSdist, WrongHash
from services.workspace.target import TargetProblem

T = TypeVar("T")

words = Console(stderr=True, highlight=False)


class Exit(IntEnum):
    """How a command ended, for scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    CONFLICT = 5
    UNAVAILABLE = 6
    TIMED_OUT = 7
    INTERRUPTED = 130


class Stop(Exception):  # noqa: N818 -- what it asks for
    """Ends a command with an exit code and a message for a person."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


CODES: tuple[tuple[type[BaseException], Exit], ...] = (
    (WrongSettings, Exit.USAGE),
    (UnknownSdist, Exit.NOT_FOUND),
    (WrongHash, Exit.FAILED),
    (IndexUnreachable, Exit.UNAVAILABLE),
    (BranchCheckedOut, Exit.CONFLICT),
    (TargetProblem, Exit.USAGE),
    (Rejected, Exit.CONFLICT),
    (Conflict, Exit.CONFLICT),
    (NotReady, Exit.UNAVAILABLE),
    (ServerProblem, Exit.UNAVAILABLE),
    (UnusableFolder, Exit.UNAVAILABLE),
    (Unavailable, Exit.UNAVAILABLE),
    (NoSandbox, Exit.UNAVAILABLE),
    (Broken, Exit.FAILED),
    (TimeoutError, Exit.TIMED_OUT),
)


def settings_of(service: str = "cli") -> Settings:
    """Load the settings and send this process's log lines to the data folder."""
    settings = load(os.environ)
    configure(service, settings.home, settings.log_level, secrets=settings.secrets(), stderr=False)
    return settings


def run(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """Run a command to its end; an expected trouble becomes its message and exit code."""
    try:
        return asyncio.run(_cancellable(work(settings_of())))
    except Stop as stop:
        fail(stop.code, str(stop))
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(Exit.INTERRUPTED, "interrupted; run the same command again to go on")
    except tuple(kind for kind, _ in CODES) as problem:
        fail(next(code for kind, code in CODES if isinstance(problem, kind)), str(problem))


async def _cancellable(work: Awaitable[T]) -> T:
    """SIGTERM ends a command as Ctrl-C does: claims are given back, servers left."""
    running = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await running


def fail(code: Exit, message: str) -> NoReturn:
    """Say what went wrong and end the command."""
    words.print(message, style="red" if code is not Exit.INTERRUPTED else "yellow", markup=False)
    raise typer.Exit(int(code))


def say(text: str) -> None:
    """Tell a person something; never on stdout."""
    words.print(text, markup=False)


def print_json(value: BaseModel | dict[str, Any] | list[Any]) -> None:
    """Write one JSON value to stdout."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    with suppress(BrokenPipeError):
        sys.stdout.buffer.write(orjson.dumps(plain, option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.buffer.flush()
