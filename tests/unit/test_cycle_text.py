"""Text of the target shows as itself or as an escape, never as an effect."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cycle.commands import shell_word
from services.cycle.markdown import code, escape, fenced, ticked
from services.cycle.text import is_plain, plain_block, plain_text, shortened


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\tb\r\nc", "a b c"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\u202eb", r"a\u202eb"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\x9b31m", r"\u009b31m"),
        ("\udce9", r"\xe9"),
        ("Übung → ok", "Übung → ok"),
    ],
)
def test_what_cannot_be_seen_becomes_an_escape(given: str, shown: str) -> None:
    assert plain_text(given) == shown


@given(st.text())
def test_plain_text_is_one_visible_line_and_stays_as_it_is(text: str) -> None:
    line = plain_text(text)
    assert is_plain(line)
    assert plain_text(line) == line


@given(st.text())
def test_a_block_keeps_its_lines_and_nothing_else(text: str) -> None:
    assert all(is_plain(line) for line in plain_block(text).split("\n"))


@given(st.text(), st.integers(2, 30))
def test_a_shortened_text_fits(text: str, length: int) -> None:
    assert len(shortened(text, length)) <= length


@given(st.text(alphabet="`ab\n", max_size=12))
def test_nothing_ends_a_fence_or_a_code_span_early(text: str) -> None:
    first, *inner, last = fenced(text).split("\n")
    assert first.removesuffix("text") == last
    assert not any(line.startswith(last) for line in inner)
    span = code(text)
    ticks = span[: len(span) - len(span.lstrip("`"))]
    assert ticks not in span[len(ticks) : -len(ticks)]


def test_a_list_number_and_a_heading_mark_stay_text() -> None:
    assert escape("# 1. a") == r"\# 1. a"
    assert escape("12) a") == r"12\) a"
    assert escape("a_b_c _d_") == r"a_b_c \_d\_"


def test_code_in_titles_stays_code_and_a_lone_tick_does_not() -> None:
    assert ticked("Use `!=` now") == "Use `!=` now"
    assert ticked("a ` b") == r"a \` b"
    assert ticked("`a|b`") == r"\`a\|b\`"


@pytest.mark.parametrize("path", ["/a b", "/it's", "/$(id)`id`", "/a\nb", "/\u202e\x1b'\\", "/plain"])
def test_bash_reads_a_quoted_path_back(path: str) -> None:
    word = shell_word(path)
    assert is_plain(word)
    told = subprocess.run(
        ["bash", "-c", f"printf %s {word}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert told.stdout.decode() == path


def test_an_ordinary_path_is_quoted_as_usual() -> None:
    assert shell_word("/srv/it's") == shlex.quote("/srv/it's")
