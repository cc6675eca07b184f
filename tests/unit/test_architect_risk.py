"""How the Architect classes a change by what it touches."""

from dataclasses import replace

import pytest

from events.target import BaselineRecorded
from schemas.artefacts import ArtefactRef
from schemas.findings import Site
from schemas.improvement import Component
from schemas.risk import RiskClass
from schemas.suite import SuiteEnd, SuiteReport
from services.architect.risk import Surface, classify
from services.architect.surface import surface
from services.workspace.environments.declared_python import DeclaredPython

SMALL = Surface(
    files=("pkg/a.py",), suite="", covered=3, uncovered=0, fan_in=2, public=0, measured=True
)  # fmt: skip
SUITE = SuiteReport(
    end=SuiteEnd.FINISHED, exit_code=0, tests={}, duration_ms=1, covered={"pkg/a.py": (1,)}, missing={}
)
PART = Component(module="pkg.a", path="pkg/a.py", touched=True, fan_in=1)
BASELINE = BaselineRecorded(
    scan="s1", claim=1, base="b" * 40, usable=True, reason="", passed=1, failed=0, flaky=(), coverage=True,
    suite_runs=2, suite_ms=1, coverage_ms=1, environment="e", environment_ms=1, notes=(),
    report=ArtefactRef(sha256="0" * 64, size=1, media_type="application/json", name="r"),
)  # fmt: skip


def drawn(python: DeclaredPython) -> Surface:
    site = Site(path="pkg/a.py", scope="", text="x = 1")
    return surface(("pkg/a.py",), (site,), {"pkg/a.py": "x = 1\n"}, SUITE, BASELINE, (PART,), python)


@pytest.mark.parametrize(
    ("change", "risk", "said"),
    [
        ({}, RiskClass.LOW, "Every touched line is run"),
        ({"files": ("tests/test_a.py",), "uncovered": 9}, RiskClass.LOW, "Only tests are touched."),
        ({"uncovered": 1}, RiskClass.MEDIUM, "does not run 1 of 4 touched lines"),
        ({"fan_in": 4}, RiskClass.MEDIUM, "4 modules import"),
        ({"public": 1}, RiskClass.MEDIUM, "1 touched lines define public names"),
        ({"measured": False}, RiskClass.MEDIUM, "could not be measured"),
        ({"unproven": "Also Python 2."}, RiskClass.MEDIUM, "Also Python 2."),
        ({"suite": "it ran no test"}, RiskClass.HIGH, "it ran no test"),
        ({"files": ("setup.py",)}, RiskClass.HIGH, "how the project is built"),
    ],
)
def test_the_first_rule_that_applies_gives_the_class_and_its_reason(
    change: dict[str, object], risk: RiskClass, said: str
) -> None:
    given, reasons = classify(replace(SMALL, **change))  # type: ignore[arg-type]  # a table of fields
    assert given is risk
    assert said in reasons[0]


@pytest.mark.parametrize(
    ("python", "said"),
    [
        (DeclaredPython(), ""),
        (DeclaredPython(">=3.9", 9), ""),
        (DeclaredPython(">=3.5", 5), "declares Python >=3.5, and fixes are written for 3.7 and later"),
        (DeclaredPython(">=2.7", 9, two=True), "Python 2 as well, and fixes are written for Python 3.9"),
    ],
)
def test_a_declared_python_that_fixes_are_not_written_for_is_named(python: DeclaredPython, said: str) -> None:
    unproven = drawn(python).unproven
    assert said in unproven if said else unproven == ""
