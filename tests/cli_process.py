"""Runs `aps` as a person does: as a process of its own, on a data folder of the test."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 90.0
COMMAND = (sys.executable, "-m", "services.cli")


def environment(home: Path, **more: str) -> dict[str, str]:
    """The whole environment of a command: the machine's settings take no part."""
    return {"APS_HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **more}


def ended(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nobody to answer its questions."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=False,
    )
