"""A function may gain what callers need not know of; nothing that they could do is taken from them."""

import pytest

from services.gates.signatures import takes_all_of


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("def(a)", "def(a)"),
        ("def(a)", "def(a, b=)"),
        ("def(a)", "def(a=)"),
        ("def(a)", "def(a, *, b=)"),
        ("def(a)", "def(a, *args, **kw)"),
        ("def(a, *, b=)", "def(a, *, b=, c=)"),
        ("def(a, *, b)", "def(a, *, b=)"),
        ("def(a, *, b=)", "def(a, b=)"),
        ("def(a, /, b)", "def(a, /, b, c=)"),
        ("def()", "def(a=)"),
        ("class", "class"),
    ],
)
def test_what_can_be_called_as_before_is_kept(was: str, now: str) -> None:
    assert takes_all_of(now, was)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("def(a)", "def(b)"),
        ("def(a)", "def()"),
        ("def(a)", "def(a, b)"),
        ("def(a)", "def(a, *, b)"),
        ("def(a=)", "def(a)"),
        ("def(a, b)", "def(b, a)"),
        ("def(a, b)", "def(a, *, b)"),
        ("def(a, *args)", "def(a, b=, *args)"),
        ("def(a, *args)", "def(a)"),
        ("def(a, **kw)", "def(a)"),
        ("def(a, *, b=)", "def(a)"),
        ("def(a, *, b=)", "def(a, *, b)"),
        ("def(a)", "def(a, /)"),
        ("def(a)", "class"),
        ("property def(self)", "def(self)"),
    ],
)
def test_what_callers_could_do_before_is_missed(was: str, now: str) -> None:
    assert not takes_all_of(now, was)
