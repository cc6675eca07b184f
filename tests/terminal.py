"""A terminal with a program on it: what the program writes, what it is typed, its size."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0
ROOT = Path(__file__).parents[1]
SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|.)", re.DOTALL)


class Terminal:
    """One end of a pseudo terminal; a program runs on the other."""

    def __init__(self, here: int, there: int, program: "subprocess.Popen[bytes]") -> None:
        self._here, self._there = here, there
        self.program = program
        self.written = ""
        # a read may end within a character
        self._text = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def until(self, holds: Callable[[str], bool]) -> str:
        """Read until what was written holds; return all of it."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.written):
            assert time.monotonic() < deadline, self.written[-2000:]
            self._read(0.2)
        return self.written

    def type(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._here, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """How the terminal is set: a program that ends must leave it so."""
        return termios.tcgetattr(self._there)

    def ended(self) -> int:
        """Read until the program ends; return how."""
        deadline = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            assert time.monotonic() < deadline, self.written[-2000:]
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.program.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._here], [], [], seconds)
        if ready:
            self.written += self._text.decode(os.read(self._here, 65536))
        return bool(ready)


@contextmanager
def terminal(
    words: Sequence[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    """Run a program on a terminal of that size; it is killed at the end of the block."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    program = subprocess.Popen(
        words,
        stdin=there,
        stdout=there,
        stderr=there,
        env={"TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=_take_control,  # noqa: PLW1509 -- one system call: with it Ctrl-C is a signal
    )
    try:
        yield Terminal(here, there, program)
    finally:
        program.kill()
        program.wait()
        os.close(here)
        os.close(there)


def _take_control() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def sequences(written: str) -> set[str]:
    """The escape sequences in what was written."""
    return set(SEQUENCE.findall(written))


def text_of(written: str) -> str:
    """What was written without its escape sequences."""
    return SEQUENCE.sub("", written)
