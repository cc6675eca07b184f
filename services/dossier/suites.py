"""What the target's own tests said before a change and with it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from events.improvement import Improvement
from events.target import Target
from schemas.artefacts import ArtefactRef
from schemas.suite import Outcome, SuiteReport
from services.dossier.shelf import Shelf

MOST_TESTS = 200
ABSENT = "not there"


@dataclass(frozen=True)
class Figures:
    """One suite run in figures."""

    end: str
    passed: int
    failed: int
    skipped: int
    total: int
    duration_ms: int


@dataclass(frozen=True)
class Moved:
    """A test whose outcome is another with the change."""

    test: str
    before: str
    after: str


@dataclass(frozen=True)
class Suites:
    """Both runs, None where there is none yet; `moved` are at most the first tests that changed."""

    before: Figures | None = None
    after: Figures | None = None
    moved: tuple[Moved, ...] = ()


async def suites_of(shelf: Shelf, target: Target, state: Improvement) -> Suites:
    """Read both reports of an improvement; one that cannot be read is None, and the shelf says why."""
    found = state.discovered
    baseline = target.baseline_at(found.base) if found else None
    before = await _report(shelf, baseline.report if baseline else None)
    after = await _report(shelf, state.verdict.report if state.verdict else None)
    moved = tuple(_moved(before, after))[:MOST_TESTS] if before and after else ()
    return Suites(_figures(before), _figures(after), moved)


async def _report(shelf: Shelf, ref: ArtefactRef | None) -> SuiteReport | None:
    text = await shelf.text(ref)
    if ref is None or not text:
        return None
    try:
        return SuiteReport.model_validate_json(text)
    except ValidationError as problem:
        shelf.missing.append(f"{ref.name}: it is no report of a suite ({problem.error_count()} errors)")
        return None


def _figures(report: SuiteReport | None) -> Figures | None:
    if report is None:
        return None
    return Figures(
        end=report.end.value,
        passed=report.passed,
        failed=report.failed,
        skipped=sum(outcome is Outcome.SKIPPED for outcome in report.tests.values()),
        total=len(report.tests),
        duration_ms=report.duration_ms,
    )


def _moved(before: SuiteReport, after: SuiteReport) -> Iterator[Moved]:
    for test in sorted({*before.tests, *after.tests}):
        was, now = before.tests.get(test), after.tests.get(test)
        if was is not now:
            yield Moved(test, was.value if was else ABSENT, now.value if now else ABSENT)
