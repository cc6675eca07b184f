"""What `aps monitor` draws: everything that matters, in any size, and nothing but text."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.fold import Poisoned
from schemas.improvement import Status
from services.cli.monitor.drawing import MOST_ROWS, NARROWEST, age, drawn, shares
from services.cli.monitor.picture import pictured
from services.cycle.text import is_plain
from services.gateway.health import State
from services.steering.letters import Closing, DeadLetter
from tests.monitor_example import HOSTILE, NOW, SHOWN, health, improvement, picture, seen

TITLES = (
    "Health",
    "Improvements",
    "In flight",
    "Waiting for a person",
    "Spend",
    "Last outcomes",
    "Dead letters",
)


def shown(width: int = 200, height: int | None = None, saying: str = "") -> list[str]:
    return [line.plain for line in drawn(picture(saying), width, height)]


def test_it_tells_what_fails_what_works_what_waits_what_it_costs_and_what_was_given_up() -> None:
    whole = "\n".join(shown())
    assert all(title in whole for title in TITLES)
    for told in (
        "PostgreSQL is away",
        "everything is paused (a release)",
        "what nats says",
        "postgresql, disk",
        "5 min  implementation  improvement up006  developer@host",
        "1 h  waits  title of waits  risk high",
        "$1.25 of $5.00  3 of 500 calls  exhausted: nothing is left",
        "five times",
        "what broke",
    ):
        assert told in whole, told


def letter(seq: int, role: str = "projector") -> DeadLetter:
    return DeadLetter(number=seq, role=role, seq=seq, subject="s", reason="r")


def test_a_letter_of_what_was_not_applied_is_counted_once() -> None:
    poisoned = [Poisoned(seq=n, aggregate="a", id="b", reason="what broke") for n in (1, 2, 3)]
    made = pictured(seen(poisoned=poisoned, letters=[letter(1), letter(2)]), health(), NOW)
    titles = [line.plain for line in drawn(made, 80)]
    assert "Dead letters 2" in titles
    assert "Not applied 1" in titles


def test_headings_count_what_they_name() -> None:
    many = [improvement(f"i-{n}", Status.DECLINED) for n in range(7)]
    titles = [line.plain for line in drawn(pictured(seen(improvements=many), health("nats"), NOW), 80)]
    assert "Improvements 7" in titles
    assert "Health 3" in titles


def test_one_picture_is_of_bounded_length_and_says_how_much_more_there_is() -> None:
    made = pictured(seen(letters=[letter(n) for n in range(1500)]), health(), NOW)
    lines = [line.plain for line in drawn(made, 80)]
    assert f"Dead letters 1500, {1500 - MOST_ROWS} not shown" in lines
    assert len(lines) < 100


def test_what_waits_too_long_is_marked() -> None:
    late = replace(picture().waiting[0], escalated="risk high")
    whole = [line.plain for line in drawn(replace(picture(), waiting=(late,)), 200)]
    assert "  1 h  waits  title of waits  too long: risk high" in whole


def test_outcomes_and_letters_come_newest_first_and_what_was_seen_to_is_left_out() -> None:
    done = Closing(letter=2, how="discarded", reason="", by="cli", at=NOW)
    letters = [DeadLetter(number=n, role="qa", seq=n, subject="s", reason="r") for n in (1, 2, 3)]
    letters[1] = letters[1].model_copy(update={"closed": done})
    made = pictured(seen(letters=letters), health(), NOW)
    assert [letter.number for letter in made.letters] == [3, 1]
    assert [row.id for row in made.outcomes] == ["declined", "landed"]
    assert [row.id for row in made.waiting] == ["waits"]


def test_a_service_that_nobody_needs_is_no_fault() -> None:
    assert pictured(seen(), health(), NOW).state is State.OK
    assert pictured(seen(), health("disk"), NOW).state is State.FAILED
    assert pictured(seen(), None, NOW).state is None


@pytest.mark.parametrize("width", [1, NARROWEST, 37, 80, 300])
@pytest.mark.parametrize("height", [1, 5, 16, 24, 60])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    many = [improvement(f"i-{n}", Status.DECLINED, "why " * n, n) for n in range(40)]
    made = pictured(seen(improvements=many), health("nats", "disk"), NOW)
    lines = drawn(made, width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= max(width, NARROWEST) for line in lines)
    if height >= 24:
        assert all(any(title in line.plain for line in lines) for title in ("Health", "Dead letters"))


def test_a_low_terminal_tells_how_much_it_leaves_out() -> None:
    many = [improvement(f"i-{n}", Status.DECLINED, minutes=n) for n in range(40)]
    lines = [one.plain for one in drawn(pictured(seen(improvements=many), health(), NOW), 80, 24)]
    (outcomes,) = [line for line in lines if line.startswith("Last outcomes")]
    assert outcomes.endswith(" not shown")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(-10, 100))
def test_every_part_gets_its_share_of_the_rows(wanted: list[int], room: int) -> None:
    given = shares(wanted, room)
    assert all(got <= want for got, want in zip(given, wanted, strict=True))
    assert sum(given) <= max(room, len(wanted))
    assert all(got >= min(1, want) for got, want in zip(given, wanted, strict=True))


def test_whatever_a_field_holds_is_shown_as_text() -> None:
    for line in shown(100_000, saying=HOSTILE):
        assert is_plain(line), line
    whole = "\n".join(shown(100_000, saying=HOSTILE))
    assert whole.count(SHOWN) > 25
    assert "[bold]y[/bold]:smile:" in whole
    assert "\\x1b[31;47m" in whole
    assert "\\u202e" in whole


@given(st.text(max_size=60), st.integers(1, 120))
def test_no_text_breaks_a_line_or_hides(text: str, width: int) -> None:
    made = replace(picture(), problem=text, waiting=(replace(picture().waiting[0], title=text),))
    for line in drawn(made, width):
        assert is_plain(line.plain)
        assert line.cell_len <= max(width, NARROWEST)


def test_ages_are_told_as_people_tell_them() -> None:
    told = [age(NOW - timedelta(seconds=s), NOW) for s in (-5, 0, 59, 60, 3599, 3600, 86400 * 3)]
    assert told == ["0 s", "0 s", "59 s", "1 min", "59 min", "1 h", "3 d"]
