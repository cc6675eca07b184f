"""Measures the surface a change will touch: its lines, whether the suite runs them, who imports them."""

from collections.abc import Mapping, Sequence

from events.target import BaselineRecorded
from schemas.findings import Site
from schemas.improvement import Component
from schemas.suite import SuiteReport
from services.architect.risk import Surface
from services.engines.deterministic.rules import minor_of, written_for
from services.gates.evaluator_files import is_test_code
from services.workspace.declared_python import DeclaredPython

DEFINES = ("def ", "async def ", "class ")


def surface(
    files: tuple[str, ...],
    sites: Sequence[Site],
    sources: Mapping[str, str],
    suite: SuiteReport,
    baseline: BaselineRecorded,
    parts: Sequence[Component],
    python: DeclaredPython,
    *,
    doubtful: bool = False,
) -> Surface:
    """Return the surface; `sources` holds the text of each file a site lies in."""
    covered = uncovered = public = 0
    for site in sites:
        if is_test_code(site.path):
            continue
        lines = _lines(sources.get(site.path, ""), site.text)
        run, missed = set(suite.covered.get(site.path, ())), set(suite.missing.get(site.path, ()))
        covered += len(lines & run)
        uncovered += len(lines & missed)
        public += _public(site)
    return Surface(
        files=files,
        suite="" if baseline.usable else baseline.reason,
        covered=covered,
        uncovered=uncovered,
        fan_in=max((part.fan_in for part in parts if part.touched), default=0),
        public=public,
        measured=baseline.coverage,
        unproven=_unproven(python),
        doubtful=doubtful,
    )


def _unproven(python: DeclaredPython) -> str:
    """Name the declared Pythons that fixes are not written for."""
    oldest = minor_of(written_for(python.oldest))
    if python.two:
        return (
            f"The project declares Python 2 as well, and fixes are written for Python 3.{oldest} and later."
        )
    if python.oldest is not None and python.oldest < oldest:
        return f"The project declares Python {python.stated}, and fixes are written for 3.{oldest} and later."
    return ""


def _lines(source: str, text: str) -> set[int]:
    """Return the numbers of the lines that read `text`: a site names its line by content."""
    return {n for n, line in enumerate(source.splitlines(), start=1) if line.strip() == text}


def _public(site: Site) -> bool:
    starts = next((word for word in DEFINES if site.text.startswith(word)), None)
    private = any(part.startswith("_") for part in site.scope.split(".") if part)
    return starts is not None and not private and not site.text.removeprefix(starts).startswith("_")
