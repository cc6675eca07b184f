"""What a new test reaches is what it runs of unchanged sources that no test ran before."""

import pytest

from schemas.suite import SuiteEnd, SuiteReport
from services.gherkin.steps import GuardedByTests, KeptByTests, Proven, ShownByTests
from services.pm.asked import Wanted
from services.qa.importing import importing, within_functions
from services.qa.reaching import asserts, newly_run
from services.workspace.git.repository import Entry

SOURCE, TEST = "tiny/words.py", "tiny/tests/test_words.py"
THERE = {SOURCE: Entry("100644", "a"), TEST: Entry("100644", "b")}


def ran(**covered: tuple[int, ...]) -> SuiteReport:
    lines = {{"source": SOURCE, "test": TEST, "new": "tiny/new.py"}[name]: at for name, at in covered.items()}
    return SuiteReport(end=SuiteEnd.FINISHED, exit_code=0, tests={}, duration_ms=1, covered=lines)


@pytest.mark.parametrize(
    ("before", "alone", "count"),
    [
        (ran(source=(1, 2)), ran(source=(1, 2)), 0),
        (ran(source=(1, 2)), ran(source=(1, 2, 3, 4)), 2),
        (ran(), ran(source=(1,)), 1),
        (ran(source=(1,)), ran(source=(1,), test=(7, 8)), 0),
        (ran(source=(1,)), ran(new=(7, 8)), 0),
    ],
    ids=[
        "nothing more",
        "two lines more",
        "never imported before",
        "only test code",
        "of a source that came new",
    ],
)
def test_only_lines_that_no_test_ran_before_count(
    before: SuiteReport, alone: SuiteReport, count: int
) -> None:
    new = newly_run((before, ran()), alone, THERE, THERE | {"tiny/new.py": Entry("100644", "n")})
    assert sum(map(len, new.values())) == count


def test_lines_of_a_source_that_changed_meanwhile_do_not_count() -> None:
    assert newly_run((ran(),), ran(source=(1,)), THERE, THERE | {SOURCE: Entry("100644", "c")}) == {}


def test_lines_that_importing_alone_runs_do_not_count() -> None:
    imported, alone = ran(source=(1, 2, 5)), ran(source=(1, 2, 3, 5))
    assert newly_run((ran(), imported), alone, THERE, THERE) == {SOURCE: {3}}


MODULE = """import os
TABLE = {
    "a": 1,
}
@cached
def doubled(
    number=default(),
):
    \"\"\"Twice.\"\"\"
    return number * 2
class Words:
    many = 2
    def said(self): return 1
    async def heard(self):
        def inner():
            return 3
        return inner()
"""


def test_only_what_stands_within_a_function_can_be_a_tests_own_doing() -> None:
    assert within_functions(MODULE) == {9, 10, 15, 16, 17}
    assert within_functions("def broken(:\n    pass\n") == set()


def test_a_module_is_imported_by_whatever_name_it_may_have() -> None:
    source = "from __future__ import annotations\n"
    made = importing(source, ["src/tiny/words.py", "tiny/__init__.py", "tiny/__main__.py"])
    assert made.startswith(source)
    assert "['src.tiny.words', 'tiny.words', 'words', 'tiny']" in made
    compile(made, "made", "exec")


@pytest.mark.parametrize(
    ("category", "proven"),
    [
        ("feature", ShownByTests),
        ("bug", ShownByTests),
        ("tests", GuardedByTests),
        ("performance", KeptByTests),
        ("documentation", KeptByTests),
        ("refactoring", KeptByTests),
    ],
)
def test_the_category_of_a_request_says_how_it_is_proven(category: str, proven: type[Proven]) -> None:
    words = {"title": "Test the sum", "category": category, "requirements": ["r"], "behaviours": ["adds"]}
    assert Wanted.model_validate(words).proven is proven


@pytest.mark.parametrize(
    ("source", "test", "holds"),
    [
        ("def test_it():\n    assert run() == 1\n", "t.py::test_it", True),
        ("class TestIt:\n    def test_it(self):\n        assert run() == 1\n", "t.py::TestIt::test_it", True),
        ("def test_it():\n    run()\n", "t.py::test_it", False),
        ("def test_it():\n    return\n    assert run() == 1\n", "t.py::test_it", False),
        ("def test_it():\n    run()\n\n\ndef test_more():\n    assert run()\n", "t.py::test_it", False),
        ("def test_it(:\n", "t.py::test_it", False),
        ("", "t.py::test_it", False),
    ],
)
def test_a_test_that_asserts_nothing_guards_nothing_whatever_it_runs(
    source: str, test: str, holds: bool
) -> None:
    assert asserts(source, test) is holds
