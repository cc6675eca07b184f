"""What a sandbox gives: a bounded run of an untrusted command, and how it ended.

Rules, for every back-end (`tests/contract/test_sandbox.py` holds them to it):
1. The command runs under another uid than the services (when these run as root; in a user namespace
   otherwise), dropped before the command's first instruction.
2. It sees the system read-only, only the folders named here, and writes only to those named writable.
3. It has no network, not even the host's loopback, unless `network` is asked for.
4. Whatever it started is gone when `run` returns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

GIB = 1024**3
MIB = 1024**2

Hear = Callable[[bytes], None]


@dataclass(frozen=True)
class Limits:
    """Bounds on one run. `memory_bytes` bounds the whole process tree, `file_bytes` one file.

    `output_bytes` bounds what is kept of each stream: the head and the tail, with a marker between.
    """

    wall_seconds: float = 600.0
    memory_bytes: int = 4 * GIB
    processes: int = 256
    file_bytes: int = GIB
    open_files: int = 1024
    output_bytes: int = 4 * MIB


@dataclass(frozen=True)
class Command:
    """An untrusted command. Paths are absolute and the same inside as outside.

    `env` is the whole environment apart from PATH, HOME, TMPDIR, USER and LANG, which the sandbox
    sets. `readable` and `writable` are the only folders or files seen besides the system's. `stdin` is all
    that the command can read there.
    """

    argv: tuple[str, ...]
    cwd: Path
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    stdin: bytes = b""


class Ended(StrEnum):
    """Why a run stopped."""

    EXITED = "exited"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class Result:
    """What a run left behind. `exit_code` is negative for a signal, as in `subprocess`.

    `status` is what the back-end's own program told of the run, where no command can write.
    """

    ended: Ended
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    status: bytes = b""


class NoSandbox(Exception):  # noqa: N818 -- says what is missing, as the glossary has it
    """No back-end works on this machine; the message says what to install or allow."""


class Unrunnable(Exception):  # noqa: N818 -- says who is wrong: the caller named a path that cannot be shown
    """The command names a folder that is missing, not absolute or not allowed; nothing was started."""


class Sandbox(Protocol):
    """Runs untrusted commands within limits."""

    level: str

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        """Run to the end or the limit. Cancelling ends the command and everything it started.

        `hear` is called with each piece of standard output as it comes, also with what the result leaves
        out; what it raises ends the run and is raised here. All was heard when this returns.
        A program that is not there exits 127, one that cannot be executed 126, as in a shell. Raises
        Unrunnable for wrong paths and NoSandbox when the machine stopped allowing the back-end.
        """
        ...

    def hand_over(self, path: Path) -> None:
        """Make `path`, recursively and without following links, writable by the command's uid."""
        ...
