"""Runs `aps` as a person does: as a process of its own, on a data folder of the test."""

import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.preloaded import Preloaded, Wanted

ROOT = Path(__file__).parents[1]
PATIENCE = 90.0
MODULE = "services.cli"
COMMAND = (sys.executable, "-m", MODULE)
INTERPRETERS = ("PYTHON", "LANG", "LC_", "TZ", "SSL_", "COVERAGE")  # read before or while a program is loaded


def environment(home: Path, **more: str) -> dict[str, str]:
    """The whole environment of a command: the machine's settings take no part."""
    return {"APS_HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **more}


def ended(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nobody to answer its questions."""
    given = environment(home, **more)
    if not _is_for_the_interpreter(more):
        return _preloaded().run(Wanted(MODULE, arguments, given, str(Path.cwd())), PATIENCE)
    return subprocess.run(
        [*COMMAND, *arguments],
        env=given,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )


@cache
def _preloaded() -> Preloaded:
    return Preloaded({name: value for name, value in environment(ROOT).items() if name != "APS_HOME"})


def _is_for_the_interpreter(names: Iterable[str]) -> bool:
    """Whether a command must be started from nothing to get these, as it must where coverage is measured."""
    return any(name.startswith(INTERPRETERS) for name in names) or "COVERAGE_RUN" in os.environ
