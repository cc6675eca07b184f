"""Doubts a fix where nobody vouches for it: no test runs the place, and ruff does not call the fix safe.

Rules
1. Every line that the fix touches must be run; a line within a statement counts as the statement.
2. What was not measured was not run.
3. Tests are spared: that they still demand the same is proven by their original version.
"""

import asyncio
import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.findings import Site
from schemas.improvement import LeftOut
from schemas.suite import SuiteReport
from services.engines.deterministic import ruff
from services.engines.deterministic.by_site import site_of
from services.engines.deterministic.finding import inside, read_source
from services.engines.deterministic.rules import RuleSet
from services.engines.deterministic.source import Source
from services.gates.evaluator_files import is_test_code

NOT_RUN = "no test runs it, and its fix is not known to keep behaviour"
NOT_MEASURED = "nothing tells whether a test runs it, and its fix is not known to keep behaviour"

Unvouched = Mapping[str, Mapping[Site, frozenset[int]]]


async def unvouched(tree: Path, packages: Sequence[str], rules: RuleSet) -> Unvouched:
    """Give by rule the sites whose fix ruff does not call safe, each with the rows it touches."""
    paths, _ = inside(tree, packages)
    if not paths:
        return {}
    report = await ruff.check(tree, paths, rules.select, rules.written_for)
    return await asyncio.to_thread(_placed, tree, report.diagnostics)


def _placed(tree: Path, diagnostics: Iterable[ruff.Diagnostic]) -> Unvouched:
    sources: dict[str, Source | None] = {}
    found: dict[str, dict[Site, frozenset[int]]] = {}
    for said in diagnostics:
        if said.is_safe or said.cell is not None:
            continue
        if said.filename not in sources:
            sources[said.filename] = read_source(tree / said.filename)
        source = sources[said.filename]
        if source is not None:
            places, site = found.setdefault(said.code or "", {}), site_of(said, source)
            places[site] = places.get(site, frozenset()) | said.rows
    return found


def doubted(
    sites: Iterable[Site], places: Mapping[Site, frozenset[int]], suite: SuiteReport, *, measured: bool
) -> tuple[LeftOut, ...]:
    """Choose of `sites` those to leave out; `places` are those of the rule that nobody vouches for."""
    reason = NOT_RUN if measured else NOT_MEASURED
    known = {path: _Lines.of(path, suite) for path in {site.path for site in places}}
    return tuple(
        LeftOut(path=site.path, site=site, reason=reason)
        for site in sites
        if site in places and not is_test_code(site.path) and not known[site.path].are_run(places[site])
    )


@dataclass(frozen=True)
class _Lines:
    """The executable lines of one file, in order, and those of them that no test runs."""

    known: list[int]
    missed: frozenset[int]

    @classmethod
    def of(cls, path: str, suite: SuiteReport) -> "_Lines":
        missed = frozenset(suite.missing.get(path, ()))
        return cls(sorted(missed.union(suite.covered.get(path, ()))), missed)

    def are_run(self, rows: frozenset[int]) -> bool:
        if not self.known:
            return False
        statement = self.known[max(0, bisect.bisect_right(self.known, min(rows)) - 1)]
        return statement not in self.missed and not rows & self.missed
