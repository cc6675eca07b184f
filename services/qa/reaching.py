"""Measures what new tests reach: each is run by itself, under coverage, and held against the suite before.

Rules
1. A line counts that the test runs, that no test ran before, and that importing alone does not run.
2. It stands in a source that is as it was. Test code guards nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.changes.stacking import Stacked
from services.engines.deterministic.source import text_of
from services.gates.behaviours import cases
from services.gates.evaluator_files import is_test_code
from services.gates.strictness import parsed, strictness
from services.qa.importing import importing, within_functions
from services.qa.material import Material
from services.workspace.git.mixing import with_file
from services.workspace.git.repository import Entry, Repository

BESIDE = "test_importing_alone.py"
NONE_OF_IT = "::none"
_TELLING = (SuiteEnd.FINISHED, SuiteEnd.NOTHING_COLLECTED)


async def reach(
    material: Material, one: Stacked, tests: Sequence[str], after: SuiteReport | None
) -> dict[str, int]:
    """Count by test the lines it runs that no test ran before.

    Nothing is counted of a change that touches more than tests, where coverage was not measured before,
    and of a test that asserts nothing: it would run lines and guard none.
    """
    if after is None or not material.baseline.coverage:
        return {}
    if not all(is_test_code(path) for path in one.applied.changed_paths):
        return {}

    async def run(commit: str, only: Sequence[str]) -> SuiteReport:
        return await material.bench.prover.run(
            material.repository,
            f"{material.id}-reach",
            material.formed.base,
            commit,
            coverage=True,
            baseline_ms=material.baseline.coverage_ms,
            only=only,
        )

    counting = Counting(material.repository, run, material.before, material.baseline.base, one.commit)
    found = {}
    for test in tests:
        if ids := cases(test, after):
            found[test] = await counting.count(test, ids)
    return found


Run = Callable[[str, Sequence[str]], Awaitable[SuiteReport]]


@dataclass(frozen=True)
class Counting:
    """Counts what tests of `commit` reach beyond what the suite `before` ran at `base`.

    `run` runs tests of a commit, named as reports name them, under coverage.
    """

    repository: Repository
    run: Run
    before: SuiteReport
    base: str
    commit: str

    async def count(self, test: str, ids: Mapping[str, Outcome]) -> int:
        """Return how many lines a test runs by itself, which ends in `ids`; 0 where it does not."""
        file = test.partition("::")[0]
        if not asserts(await self._source(file), test) or set(ids.values()) != {Outcome.PASSED}:
            return 0
        alone = await self.run(self.commit, sorted(ids))
        if alone.tests != ids:
            return 0
        there, now = [await self.repository.entries(one) for one in (self.base, self.commit)]
        lines = newly_run((self.before,), alone, there, now)
        if not lines:
            return 0
        imported = await self._imported(file, lines)
        if imported.end not in _TELLING:
            return 0
        count = 0
        for path, own in newly_run((self.before, imported), alone, there, now).items():
            count += len(own & within_functions(await self._source(path)))
        return count

    async def _imported(self, file: str, paths: Iterable[str]) -> SuiteReport:
        """Import a test file and the modules at `paths`, and run none of the tests."""
        beside = f"{file[: file.rfind('/') + 1]}{BESIDE}"
        source = importing(await self._source(file), paths)
        commit = await with_file(self.repository, self.commit, beside, source.encode())
        return await self.run(commit, [f"{beside}{NONE_OF_IT}"])

    async def _source(self, path: str) -> str:
        try:
            return text_of(await self.repository.read_file(self.commit, path))
        except FileNotFoundError:
            return ""


def newly_run(
    before: Sequence[SuiteReport], alone: SuiteReport, there: Mapping[str, Entry], now: Mapping[str, Entry]
) -> dict[str, set[int]]:
    """Return by path the lines that a run covers and none before did, in the sources that are as they were.

    Where a source changed since, its lines have other numbers.
    """
    new = {
        path: set(lines).difference(*(run.covered.get(path, ()) for run in before))
        for path, lines in alone.covered.items()
        if not is_test_code(path) and path in there and there[path] == now.get(path)
    }
    return {path: lines for path, lines in new.items() if lines}


def asserts(source: str, test: str) -> bool:
    """Whether a test of a file asserts anything; what cannot be read or stands elsewhere shows nothing."""
    try:
        demands = strictness(parsed(source)).demands
    except (SyntaxError, ValueError):
        return False
    demand = demands.get(".".join(test.split("::")[1:]))
    return demand is not None and demand.assertions > 0
