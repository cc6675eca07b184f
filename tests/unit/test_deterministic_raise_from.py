"""How B904 is fixed: what is named, what is left alone, and that nothing else moves."""

from textwrap import dedent

import pytest

from services.engines.deterministic.codemods.codemod import Position, Rewritten
from services.engines.deterministic.codemods.raise_from import RaiseFrom


def rewrite(source: str) -> Rewritten:
    """Rewrite at every line that begins with `raise` and carries no cause."""
    text = dedent(source)
    wanted = {
        Position(row, len(line) - len(line.lstrip()) + 1)
        for row, line in enumerate(text.split("\n"), start=1)
        if line.lstrip().startswith("raise ")
    }
    return RaiseFrom().rewrite(text, frozenset(wanted))


def rewritten(source: str) -> str:
    result = rewrite(source)
    assert result.refused == {}
    return result.text


def refusals(source: str) -> set[str]:
    result = rewrite(source)
    assert result.text == dedent(source)
    return set(result.refused.values())


def test_a_named_exception_becomes_the_cause() -> None:
    assert rewritten(
        """
        try:
            x()
        except KeyError as missing:
            raise ValueError("no")  # told
        """
    ) == dedent(
        """
        try:
            x()
        except KeyError as missing:
            raise ValueError("no") from missing  # told
        """
    )


def test_an_unnamed_exception_is_named() -> None:
    text = rewritten("try:\n    x()\nexcept (A, B):\n    raise C(\n        1,\n    )\n")
    assert text == "try:\n    x()\nexcept (A, B) as err:\n    raise C(\n        1,\n    ) from err\n"


def test_a_bare_except_still_catches_everything() -> None:
    text = rewritten("try:\n    x()\nexcept:\n    raise C()\n")
    assert text == "try:\n    x()\nexcept BaseException as err:\n    raise C() from err\n"


def test_an_exception_group_is_a_cause_too() -> None:
    text = rewritten("try:\n    x()\nexcept* A:\n    raise C()\n")
    assert text == "try:\n    x()\nexcept* A as err:\n    raise C() from err\n"


@pytest.mark.parametrize(
    "use",
    [
        "err = 1",
        "print(err)",
        "def err(): pass",
        "import err",
        "import x.y as err",
        "global err",
        "def g(err): pass",
        "def g(): return err",
    ],
)
def test_a_name_in_use_in_the_function_is_not_taken(use: str) -> None:
    text = rewritten(f"def f():\n    {use}\n    try:\n        x()\n    except A:\n        raise C()\n")
    assert "except A as exc:" in text
    assert "raise C() from exc" in text


def test_names_of_other_functions_and_attributes_do_not_matter() -> None:
    other = "def g(err): return err\n"
    source = "def f(s):\n    s.err = 1\n    try:\n        x()\n    except A:\n        raise C()\n"
    assert "raise C() from err" in rewritten(other + source)


def test_handlers_side_by_side_share_a_name() -> None:
    text = rewritten(
        "try:\n    x()\nexcept A as err:\n    y(err)\nexcept B:\n    raise C()\nexcept D:\n    raise E()\n"
    )
    assert text.count("as err:") == 3


def test_a_handler_within_a_handler_gets_another_name() -> None:
    text = rewritten(
        "try:\n    x()\nexcept A:\n    try:\n        y()\n    except B:\n        raise C()\n    raise D()\n"
    )
    assert "except B as err:\n        raise C() from err\n    raise D() from exc\n" in text
    assert "except A as exc:" in text


def test_only_the_wanted_raise_is_touched() -> None:
    text = "try:\n    x()\nexcept A as e:\n    if y:\n        raise B()\n    raise C()\n"
    result = RaiseFrom().rewrite(text, frozenset({Position(6, 5)}))
    assert result.text == text.replace("raise C()", "raise C() from e")


def test_columns_count_characters() -> None:
    text = "try: x()\nexcept A as e: y = 'é😀'; raise B()\n"
    column = text.split("\n")[1].index("raise") + 1
    assert RaiseFrom().rewrite(text, frozenset({Position(2, column)})).text.endswith("raise B() from e\n")


def test_line_endings_and_tabs_stay() -> None:
    text = "try:\r\n\tx()\r\nexcept A:\r\n\traise B()\r\n"
    result = RaiseFrom().rewrite(text, frozenset({Position(4, 2)}))
    assert result.text == "try:\r\n\tx()\r\nexcept A as err:\r\n\traise B() from err\r\n"


def test_a_file_that_libcst_would_not_give_back_is_left_alone() -> None:
    assert refusals("\x0ctry:\n    x()\nexcept A:\n    raise B()\n") == {
        "libcst would change more than the fix"
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise e", "the raise is of the caught exception itself"),
        ("raise e.with_traceback(None)", "the raise is of the caught exception itself"),
        ("e = 1\n    raise B()", "the handler binds e again"),
        ("del e\n    raise B()", "the handler binds e again"),
        ("try: y()\n    except C as e: pass\n    raise B()", "the handler binds e again"),
        ("def f():\n        raise B()", "the raise is in a function or class of its own"),
    ],
)
def test_it_is_left_alone_where_the_cause_would_be_wrong(body: str, reason: str) -> None:
    assert refusals(f"try:\n    x()\nexcept A as e:\n    {body}\n") == {reason}


def test_a_file_that_does_not_parse_is_left_alone() -> None:
    assert refusals("def f(:\n    raise B()\n") == {"the file does not parse"}


def test_a_position_without_a_raise_is_reported() -> None:
    result = RaiseFrom().rewrite("x = 1\n", frozenset({Position(1, 1)}))
    assert result.refused == {Position(1, 1): "no raise statement begins here"}
