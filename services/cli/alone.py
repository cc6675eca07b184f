"""Runs what needs neither servers nor settings: work on files alone."""

import os
import sys
from collections.abc import Callable

import typer

from services.cli.session import Exit, Stop, fail


def run_alone(work: Callable[[], None]) -> None:
    """Run a command to its end; an expected trouble becomes its message and exit code."""
    try:
        work()
    except Stop as stop:
        fail(stop.code, str(stop))
    except KeyboardInterrupt:
        fail(Exit.INTERRUPTED, "interrupted")
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(int(Exit.OK)) from None
