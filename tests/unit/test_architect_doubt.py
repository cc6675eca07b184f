"""When a fix is left out because nobody vouches for it."""

from pathlib import Path

import pytest

from schemas.findings import Site
from schemas.suite import SuiteEnd, SuiteReport
from services.architect.doubt import NOT_MEASURED, NOT_RUN, doubted, unvouched
from services.engines.deterministic.rules import RuleSet

SOURCE = """
def run(x):
    return list(sorted(x))


def sorted_twice(x):
    return reversed(
        sorted(x)
    )


def plain(x):
    return list(list(x))
"""
SITE = Site(path="pkg/a.py", scope="f", text="return x")


def suite(*, run: tuple[int, ...] = (), missed: tuple[int, ...] = ()) -> SuiteReport:
    return SuiteReport(
        end=SuiteEnd.FINISHED, exit_code=0, tests={}, duration_ms=1,
        covered={"pkg/a.py": run}, missing={"pkg/a.py": missed},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "run", "missed", "left_out"),
    [
        ({5}, (1, 5), (), False),
        ({5}, (1,), (5,), True),
        ({5, 6, 7}, (1, 5), (7,), True),
        ({6}, (1, 5, 9), (), False),
        ({6}, (1, 9), (5,), True),
        ({2}, (3, 4), (), False),
        ({5}, (), (), True),
    ],
)
def test_a_place_counts_as_run_when_all_its_statements_are(
    rows: set[int], run: tuple[int, ...], missed: tuple[int, ...], left_out: bool
) -> None:
    parts = doubted((SITE,), {SITE: frozenset(rows)}, suite(run=run, missed=missed), measured=True)
    assert [part.reason for part in parts] == [NOT_RUN] * left_out


def test_what_was_not_measured_was_not_run() -> None:
    (part,) = doubted((SITE,), {SITE: frozenset({5})}, suite(), measured=False)
    assert part.reason == NOT_MEASURED


def test_safe_fixes_and_tests_are_not_doubted() -> None:
    in_tests = Site(path="tests/test_a.py", scope="f", text="return x")
    assert doubted((SITE,), {}, suite(missed=(5,)), measured=True) == ()
    assert doubted((in_tests,), {in_tests: frozenset({5})}, suite(), measured=True) == ()


async def test_the_places_that_ruff_does_not_vouch_for_are_known_by_rule(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text(SOURCE)
    places = await unvouched(tmp_path, ("pkg",), RuleSet(select=("C4", "RET505")))
    assert {site.scope: rows for site, rows in places["C413"].items()} == {"sorted_twice": {7, 8, 9}}
