"""No sandbox at all, for a caller whose settings accept it; `detect` never chooses it.

Limits hold, but files, network and the services' own uid are open to the command. What leaves its
process group (a daemon with a session of its own) is found by a mark in its environment.
"""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from services.sandbox.port import Command, Hear, Limits, NoSandbox, Result, Unrunnable
from services.sandbox.rlimits import address_space
from services.sandbox.supervise import Start, supervise

MARK = "APS_RUN"
PASSED_ON = ("PATH", "HOME", "LANG", "USER")


class Unsandboxed:
    """Runs commands with limits and nothing else."""

    level = "none"

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        """Run `command` as the services' own user, with its environment only."""
        program = shutil.which("prlimit")
        if program is None:
            raise NoSandbox("prlimit is not installed: install the package `util-linux`")
        if not command.cwd.is_dir():
            raise Unrunnable(f"the working folder {command.cwd} does not exist")
        mark = secrets.token_hex(16)
        bounds = (f"--as={address_space(limits)}", f"--fsize={limits.file_bytes}", "--core=0")
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        start = Start(
            argv=(program, *bounds, f"--nofile={limits.open_files}", "--", *command.argv),
            env={**passed, **command.env, MARK: mark},
            cwd=str(command.cwd),
            stdin=command.stdin,
        )
        try:
            return await supervise(start, limits, hear)
        finally:
            _end_marked(f"{MARK}={mark}".encode())

    def hand_over(self, path: Path) -> None:
        """Change nothing: the command runs as the owner."""


def _end_marked(mark: bytes) -> None:
    while pids := tuple(_marked(mark)):  # again, for what was born in between
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _marked(mark: bytes) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):  # another user's process, or one that has ended
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
