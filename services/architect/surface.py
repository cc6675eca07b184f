"""Measures the surface a change will touch: its lines, whether the suite runs them, who imports them."""

from collections.abc import Mapping, Sequence

from events.target import BaselineRecorded
from schemas.findings import Site
from schemas.improvement import Component
from schemas.suite import SuiteReport
from services.architect.risk import Surface
from services.engines.deterministic.rules import minor_of, written_for
from services.engines.deterministic.source import Source
from services.gates.evaluator_files import is_test_code
from services.workspace.environments.declared_python import DeclaredPython

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
    covered = uncovered = 0
    product = [site for site in sites if not is_test_code(site.path)]
    for path in {site.path for site in product}:
        # a site names its line by content
        rows = Source(sources.get(path, "")).rows_by_text
        run, missed = frozenset(suite.covered.get(path, ())), frozenset(suite.missing.get(path, ()))
        for lines in (rows.get(site.text, frozenset()) for site in product if site.path == path):
            covered += len(lines & run)
            uncovered += len(lines & missed)
    return Surface(
        files=files,
        suite="" if baseline.usable else baseline.reason,
        covered=covered,
        uncovered=uncovered,
        fan_in=max((part.fan_in for part in parts if part.touched), default=0),
        public=sum(map(_public, product)),
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


def _public(site: Site) -> bool:
    starts = next((word for word in DEFINES if site.text.startswith(word)), None)
    private = any(part.startswith("_") for part in site.scope.split(".") if part)
    return starts is not None and not private and not site.text.removeprefix(starts).startswith("_")
