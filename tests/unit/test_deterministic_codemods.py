"""The smaller codemods: names for confusable arguments, and `extend` for loops that copy."""

import pytest

from services.engines.deterministic import codemods
from services.engines.deterministic.codemods.codemod import Position
from services.engines.deterministic.codemods.keyword_arguments import KeywordArguments
from services.engines.deterministic.codemods.list_extend import ListExtend
from services.engines.deterministic.rules import FixKind, catalogue


def test_every_codemod_is_in_the_catalogue_and_the_other_way_round() -> None:
    told = {code for code, rule in catalogue().items() if rule.fix is FixKind.CODEMOD}
    assert told == {codemod.rule for codemod in codemods.CODEMODS}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("re.sub(p, r, s, 1)", "re.sub(p, r, s, count=1)"),
        ("re.sub(p, r, s, 0, re.I)", "re.sub(p, r, s, count=0, flags=re.I)"),
        ("re.subn(p, r, s, 1, flags=f)", "re.subn(p, r, s, count=1, flags=f)"),
        ("re.split(p, s,  1 , f)", "re.split(p, s,  maxsplit=1 , flags=f)"),
        ("split(p, s, 1)", "split(p, s, maxsplit=1)"),
        ("re.sub(p, r, s, 1).strip()", "re.sub(p, r, s, count=1).strip()"),
    ],
)
def test_arguments_after_the_subject_get_names(before: str, after: str) -> None:
    result = KeywordArguments().rewrite(f"{before}\n", frozenset({Position(1, 1)}))
    assert (result.text, result.refused) == (f"{after}\n", {})


@pytest.mark.parametrize("call", ["re.sub(*a, 1)", "alias(p, r, s, 1)", "re.sub(p, r, s, 1, f, 2)"])
def test_arguments_that_cannot_be_told_apart_stay(call: str) -> None:
    result = KeywordArguments().rewrite(f"{call}\n", frozenset({Position(1, 1)}))
    assert result.text == f"{call}\n"
    assert set(result.refused.values()) == {"the call's arguments cannot be told apart"}


def loop(text: str, row: int, column: int) -> tuple[str, list[str]]:
    result = ListExtend().rewrite(text, frozenset({Position(row, column)}))
    return result.text, list(result.refused.values())


def test_a_loop_of_appends_becomes_extend() -> None:
    text = "def f(xs):\n    out = []\n    # why\n    for x in xs:\n        out.append(x)\n    return out\n"
    assert loop(text, 5, 9) == (
        "def f(xs):\n    out = []\n    # why\n    out.extend(xs)\n    return out\n",
        [],
    )


def test_a_loop_over_a_bare_tuple_keeps_it_one_argument() -> None:
    text = "def f():\n    out = []\n    for x in 1, 2:\n        out.append(x)\n"
    assert loop(text, 4, 9)[0] == "def f():\n    out = []\n    out.extend((1, 2))\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(xs):\n    for x in xs:\n        out.append(x)\n    return x\n", "x is used elsewhere"),
        ("def f(xs):\n    for x in out:\n        out.append(x)\n", "the loop reads what it changes"),
        ("def f(xs):\n    for x in xs:\n        out.append(x)  # why\n", "a comment would be lost"),
        (
            "def f(xs):\n    for x in xs:\n        out.append(x)\n    else:\n        y()\n",
            "does more than append",
        ),
        ("if True:\n    for x in xs:\n        out.append(x)\n", "a name of the module"),
    ],
)
def test_a_loop_that_does_more_than_copy_stays(text: str, reason: str) -> None:
    after, refused = loop(text, 3, 9)
    assert after == text
    assert reason in refused[0]


def test_a_loop_on_one_line_stays() -> None:
    text = "def f(xs):\n    for x in xs: out.append(x)\n"
    assert loop(text, 2, 18) == (text, ["the loop stands on one line"])
