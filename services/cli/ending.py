"""How a command ends: its exit codes, and what asks for one."""

from enum import IntEnum


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
