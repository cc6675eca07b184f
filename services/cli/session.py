"""What every command shares: settings, exit codes, words on stderr and JSON on stdout.

Light on purpose: everything heavy is loaded by the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from services.cli.ending import Exit, Stop
from services.cycle.text import plain_block

if TYPE_CHECKING:
    from services.runtime.settings import Settings

__all__ = ["Exit", "Stop", "fail", "print_json", "print_json_line", "run", "say", "settings_of", "words"]

T = TypeVar("T")

words = Console(stderr=True, highlight=False)


def settings_of(service: str = "cli", *, stderr: bool = False) -> Settings:
    """Load the settings and send this process's log lines to the data folder, and to stderr if asked."""
    from services.runtime.logging import configure
    from services.runtime.settings import load
    from services.runtime.trace_export import begin

    settings = load(os.environ)
    configure(service, settings.home, settings.log_level, secrets=settings.secrets(), stderr=stderr)
    if obstacle := begin(service, os.environ):
        say(f"note: {obstacle}")
    return settings


def run(
    work: Callable[[Settings], Coroutine[Any, Any, T]],
    *,
    service: str = "cli",
    stderr: bool = False,
    traced: bool = True,
) -> T:
    """Run a command to its end; an expected trouble becomes its message and exit code.

    A command is one span of a trace, but for one that is not `traced`: it runs until told to stop.
    """
    try:
        settings = settings_of(service, stderr=stderr)
        with _traced() if traced else nullcontext():
            return asyncio.run(_cancellable(work(settings)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(Exit.INTERRUPTED, "interrupted; run the same command again to go on")
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(int(Exit.OK)) from None
    except Exception as problem:
        from services.cli.exits import expected

        known = expected(problem)
        if known is None:
            raise
        fail(known.code, str(known))


def _traced() -> AbstractContextManager[None]:
    from services.runtime.tracing import span

    return span(" ".join(["aps", *sys.argv[1:2]]), expected=(typer.Exit,))


async def _cancellable(work: Awaitable[T]) -> T:
    """SIGTERM ends a command as Ctrl-C does: claims are given back, servers left."""
    running = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await running


def fail(code: Exit, message: str) -> NoReturn:
    """Say what went wrong and end the command."""
    style = "red" if code is not Exit.INTERRUPTED else "yellow"
    words.print(plain_block(message), style=style, markup=False, soft_wrap=True)
    raise typer.Exit(int(code))


def say(text: str) -> None:
    """Tell a person something; never on stdout."""
    words.print(plain_block(text), markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Write one JSON value to stdout: a model, rows, or plain values."""
    _write(value, indent=True)


def print_json_line(value: object) -> None:
    """Write one JSON value as one line, at once: for output that goes on."""
    _write(value, indent=False)


def _write(value: object, *, indent: bool) -> None:
    import orjson

    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    sys.stdout.buffer.write(orjson.dumps(value, default=_plain, option=option))
    sys.stdout.buffer.flush()


def _plain(value: object) -> object:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)
