"""A loop ends when it goes nowhere: too many attempts, no change, no other failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.asking.stops import (
    Bound,
    Tried,
    change_digest,
    failure_digest,
    why_stop,
)

BOUND = Bound(attempts=3, same_failures=2)


def tried(*pairs: str) -> list[Tried]:
    return [Tried(pair[0], pair[1]) for pair in pairs]


@pytest.mark.parametrize("goes_on", [[], tried("a1"), tried("a1", "b2")])
def test_an_attempt_that_differs_is_followed_by_another(goes_on: list[Tried]) -> None:
    assert why_stop(goes_on, BOUND) is None


@pytest.mark.parametrize(
    ("attempts", "why"),
    [
        (tried("a1", "b2", "c3"), "3 attempts failed, and no more are allowed"),
        (tried("a1", "a2"), "no progress: attempt 2 made the same change as attempt 1"),
        (tried("a1", "b1"), "no progress: 2 attempts failed in the same way"),
    ],
)
def test_a_loop_that_goes_nowhere_ends(attempts: list[Tried], why: str) -> None:
    assert why_stop(attempts, BOUND) == why


@given(st.lists(st.builds(Tried, st.text(max_size=2), st.text(max_size=2)), min_size=3))
def test_no_loop_is_longer_than_allowed(attempts: list[Tried]) -> None:
    assert why_stop(attempts, BOUND) is not None


def test_a_change_is_the_same_wherever_its_lines_stand() -> None:
    one = b"diff --git a/x.py b/x.py\nindex 1..2\n@@ -1,3 +1,3 @@\n a\n-old\n+new\n"
    moved = b"diff --git a/x.py b/x.py\nindex 3..4\n@@ -9,3 +9,3 @@\n b\n-old\n+new\n"
    other = moved.replace(b"+new", b"+newer")
    assert change_digest(one) == change_digest(moved) != change_digest(other)


def test_changes_of_different_files_differ() -> None:
    one = b"diff --git a/x.py b/x.py\n-old\n+new\n"
    assert change_digest(one) != change_digest(one.replace(b"x.py", b"y.py"))


def test_a_failure_is_the_same_in_another_folder_at_another_time() -> None:
    one = "/srv/a1/src/x.py:3: AssertionError: <obj at 0x7f01> in 1.32s (tree 0123456789abcdef)"
    again = "/srv/b2/src/x.py:3: AssertionError: <obj at 0x7f99> in 2.4s (tree fedcba9876543210)"
    assert failure_digest(one) == failure_digest(again)


@pytest.mark.parametrize("other", ["x.py:4: AssertionError", "x.py:3: KeyError", "y.py:3: AssertionError"])
def test_another_place_or_error_is_another_failure(other: str) -> None:
    assert failure_digest("x.py:3: AssertionError") != failure_digest(other)
