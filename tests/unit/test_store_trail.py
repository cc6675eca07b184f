"""The trail tells where earlier events stand, and is never believed."""

from hypothesis import given
from hypothesis import strategies as st

from events.trail import LENGTH, PART, TRAIL, earlier, trail_after

sequences = st.lists(st.integers(1, 10**12), unique=True).map(sorted)


@given(sequences)
def test_a_trail_leads_to_the_newest_events_before(before: list[int]) -> None:
    seq = (before[-1] if before else 0) + 1
    assert list(earlier(seq, {TRAIL: trail_after(before)})) == before[::-1][:LENGTH]


def test_a_later_event_of_an_append_finds_the_ones_before_it_and_then_the_trail() -> None:
    assert earlier(30, {TRAIL: "7,12", PART: "2"}) == (29, 28, 12, 7)


def test_an_event_without_a_trail_has_none() -> None:
    assert earlier(30, {}) == ()


@given(st.integers(1, 10**6), st.text(max_size=60), st.text(max_size=6))
def test_whatever_a_trail_says_it_leads_back_and_not_far(seq: int, trail: str, part: str) -> None:
    found = earlier(seq, {TRAIL: trail, PART: part})
    assert len(found) <= LENGTH
    assert all(0 < one < seq for one in found)


def test_a_trail_that_leads_forward_or_nowhere_is_ignored() -> None:
    assert earlier(5, {TRAIL: "5,6,900"}) == ()
    assert earlier(5, {TRAIL: "1,,2"}) == ()
    assert earlier(5, {TRAIL: "0,2", PART: "999"}) == (4, 3, 2, 1, 2)
