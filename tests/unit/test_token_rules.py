"""What a token may be called, and what a narrowed one may make."""

from pathlib import Path

import pytest

from schemas.access import Role
from services.access.titles import fit_title
from services.access.tokens import Holder, beyond
from services.cli.care.letting_in import create
from services.cli.ending import Exit, Stop
from services.runtime.settings import load


@pytest.mark.parametrize("title", ["ci", "release team", "日本", "é", "👩\u200d🚀", "-", "x" * 200])
def test_a_title_is_kept_as_it_was_given(title: str) -> None:
    assert fit_title(title) == title


@pytest.mark.parametrize(
    ("title", "wrong"),
    [
        ("", "something to see"),
        ("   ", "something to see"),
        ("\u00a0\u3000", "something to see"),
        ("\u200b\u200d\u2060\ufeff", "something to see"),
        ("\u3164", "something to see"),
        ("\u0301", "something to see"),
        ("a\nb", "one line"),
        ("a\x1b[2J", "one line"),
        ("a\x85b", "one line"),
        ("a\u2028b", "one line"),
        ("x" * 201, "no more than 200"),
    ],
)
def test_what_nobody_can_read_in_a_list_is_no_title(title: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        fit_title(title)


@pytest.mark.parametrize(
    ("own", "wanted", "may"),
    [
        ((), (), True),
        ((), ("tasks",), True),
        (("access", "tasks"), ("tasks",), True),
        (("access", "tasks"), ("tasks", "access"), True),
        (("access",), (), False),
        (("access",), ("tasks",), False),
        (("access", "tasks"), ("tasks", "log"), False),
    ],
)
def test_a_narrowed_token_makes_only_tokens_as_narrow(
    own: tuple[str, ...], wanted: tuple[str, ...], may: bool
) -> None:
    why = beyond(Holder("5f3a1c2b4d6e", "narrow", Role.ADMIN, frozenset(own)), wanted)
    assert (why == "") is may
    assert may or "narrowed to access" in why


async def test_the_command_makes_no_token_under_what_is_no_title(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="--title: a title") as refused:
        await create(load({"APS_HOME": str(tmp_path)}), "a\x1b[2J", Role.VIEWER, 1, (), as_json=True)
    assert refused.value.code is Exit.USAGE
