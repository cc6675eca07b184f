"""Measures what new tests reach: each is run by itself, under coverage, and held against the suite before."""

from collections.abc import Mapping, Sequence

from schemas.suite import Outcome, SuiteReport
from services.changes.stacking import Stacked
from services.engines.deterministic.source import text_of
from services.gates.behaviours import cases
from services.gates.evaluator_files import is_test_code
from services.gates.strictness import parsed, strictness
from services.qa.material import Material
from services.workspace.git.repository import Entry


async def reach(
    material: Material, one: Stacked, tests: Sequence[str], after: SuiteReport | None
) -> dict[str, int]:
    """Count by test the lines it runs that no test ran before.

    Nothing is counted of a change that touches more than tests, where coverage was not measured before,
    and of a test that asserts nothing: it would run lines and guard none.
    """
    measured = material.baseline.coverage and after is not None
    if not measured or not all(is_test_code(path) for path in one.applied.changed_paths):
        return {}
    there = await material.repository.entries(material.baseline.base)
    now = await material.repository.entries(one.commit)
    found = {}
    for test in tests:
        ids = cases(test, after) if after is not None else {}
        if not ids or not asserts(await _source(material, one, test), test):
            continue
        alone = await material.bench.prover.run(
            material.repository,
            f"{material.id}-reach",
            material.formed.base,
            one.commit,
            coverage=True,
            baseline_ms=material.baseline.coverage_ms,
            only=sorted(ids),
        )
        if alone.tests == ids and set(ids.values()) == {Outcome.PASSED}:
            found[test] = newly_run(material.before, alone, there, now)
    return found


def newly_run(
    before: SuiteReport, alone: SuiteReport, there: Mapping[str, Entry], now: Mapping[str, Entry]
) -> int:
    """Count the lines that a run covers and the one before did not, in the sources that are as they were.

    Where a source changed since, its lines have other numbers; test code guards nothing.
    """
    return sum(
        len(set(lines) - set(before.covered.get(path, ())))
        for path, lines in alone.covered.items()
        if not is_test_code(path) and path in there and there[path] == now.get(path)
    )


def asserts(source: str, test: str) -> bool:
    """Whether a test of a file asserts anything; what cannot be read or stands elsewhere shows nothing."""
    try:
        demands = strictness(parsed(source)).demands
    except (SyntaxError, ValueError):
        return False
    demand = demands.get(".".join(test.split("::")[1:]))
    return demand is not None and demand.assertions > 0


async def _source(material: Material, one: Stacked, test: str) -> str:
    try:
        return text_of(await material.repository.read_file(one.commit, test.partition("::")[0]))
    except FileNotFoundError:
        return ""
