"""The terminal as a screen: a picture that is drawn again in place, and the keys that end it.

Rules
1. The terminal is left as it was found, however the screen ends.
2. `q`, Ctrl-C and the end of the keyboard end it.
"""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from services.cli.monitor.drawing import drawn
from services.cli.monitor.picture import Picture

DRAWN_SECONDS = 1.0
LAST_KEYS = (b"q", b"Q", b"\x03", b"\x04")
HINT = "q quits"


async def show(picture: Callable[[], Picture]) -> None:
    """Draw what `picture` gives, every second and when the terminal changes its size, until told to end."""
    console = Console(highlight=False, markup=False, emoji=False)
    end, moved = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def finish() -> None:
        end.set()
        moved.set()

    loop.add_signal_handler(signal.SIGINT, finish)
    loop.add_signal_handler(signal.SIGWINCH, moved.set)
    try:
        with _keys(finish), _live(console) as live:
            while not end.is_set():
                moved.clear()
                live.update(_page(picture(), console), refresh=True)
                await _within(moved, DRAWN_SECONDS)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGWINCH)


def _live(console: Console) -> Live:
    return Live(
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )


def _page(picture: Picture, console: Console) -> Group:
    width, height = console.size
    return Group(*drawn(picture, width, height - 1), Text(HINT, style="dim"))


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, or until the seconds are over."""
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()


@contextmanager
def _keys(finish: Callable[[], None]) -> Iterator[None]:
    """Hear each key at once and show none, for the time of the block; without a keyboard hear none."""
    if not sys.stdin.isatty():
        yield
        return
    keyboard, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def pressed() -> None:
        keys = os.read(keyboard, 64)
        if not keys or any(key in keys for key in LAST_KEYS):
            finish()
            loop.remove_reader(keyboard)

    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard, termios.TCSANOW)
    loop.add_reader(keyboard, pressed)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
