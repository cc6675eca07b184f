"""`aps monitor` on a real terminal: it draws in place, ends at a key, leaves the terminal as it was."""

import os
import signal
import sys
from collections.abc import Iterator

import orjson
import pytest

from services.cycle.text import is_plain
from tests.cli_place import Place
from tests.cli_process import COMMAND, ROOT, environment
from tests.monitor_example import HOSTILE, SHOWN
from tests.terminal import sequences, terminal, text_of

SHOW = (sys.executable, "-m", "tests.monitor_example")
PLAIN = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


def drawn_with(saying: str, columns: int = 400, rows: int = 60) -> str:
    """All that the monitor writes on a terminal when every text it shows says the same."""
    escaped = saying.encode("unicode_escape").decode()
    with terminal([*SHOW, escaped], PLAIN, columns, rows) as screen:
        screen.until(lambda written: "q quits" in written)
        screen.type("q")
        assert screen.ended() == 0
        return screen.written


@pytest.mark.parametrize(("columns", "rows"), [(400, 60), (80, 24), (30, 10)])
def test_no_field_reaches_the_terminal_as_anything_but_text(columns: int, rows: int) -> None:
    written = drawn_with(HOSTILE, columns, rows)
    assert sequences(written) <= sequences(drawn_with("harmless", columns, rows))
    assert all(is_plain(line) for line in text_of(written).replace("\r", "").split("\n"))
    assert SHOWN[:8] in written


@pytest.mark.parametrize("key", ["q", "Q", "\x03", "\x04"])
def test_a_key_ends_it_and_the_terminal_is_as_it_was(key: str) -> None:
    with terminal([*SHOW, "harmless"], PLAIN) as screen:
        before = screen.modes()
        screen.until(lambda written: "q quits" in written)
        assert screen.modes() != before
        screen.type(key)
        assert screen.ended() == 0
        assert screen.modes() == before
        assert screen.written.startswith(ENTERED)
        assert LEFT in screen.written


def test_it_is_drawn_anew_when_the_terminal_changes_its_size() -> None:
    with terminal([*SHOW, "harmless"], PLAIN, 80, 24) as screen:
        screen.until(lambda written: "q quits" in written)
        seen = len(screen.written)
        screen.resize(24, 40)
        os.kill(screen.program.pid, signal.SIGWINCH)
        screen.until(lambda written: "…" in text_of(written[seen:]))
        screen.type("q")
        assert screen.ended() == 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("monitored"))
    yield made
    assert made.aps("reset", "--yes").code == 0


@pytest.mark.slow
def test_the_command_shows_what_is_recorded_and_what_is_recorded_while_it_runs(place: Place) -> None:
    assert place.aps("pause", "--reason", "the first").code == 0
    with terminal([*COMMAND, "monitor"], environment(place.home), 100, 40) as screen:
        screen.until(lambda written: "the first" in written and "streams, postgresql" in written)
        assert place.aps("resume").code == 0
        assert place.aps("pause", "--reason", HOSTILE.replace("\x00", "").replace("\ud800", "")).code == 0
        written = screen.until(lambda written: SHOWN in written)
        assert "\x1b[31;47m" not in written
        assert "\u202e" not in written
        screen.type("\x03")
        assert screen.ended() == 0
    once = place.aps("monitor", "--once")
    assert (once.code, once.err) == (0, "")
    assert SHOWN in once.out
    assert all(is_plain(line) for line in once.out.splitlines())
    assert "Dead letters" in once.out
    said = orjson.loads(place.aps("monitor", "--json").out)
    assert SHOWN in said["paused"]
    assert said["state"] == "ok"


@pytest.mark.slow
def test_without_a_terminal_it_says_how_to_have_one_picture(place: Place) -> None:
    refused = place.aps("monitor")
    assert (refused.code, refused.out) == (2, "")
    assert "--once" in refused.err
