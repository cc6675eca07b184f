"""Classes the risk of a change from the surface it touches, never from what a tool calls safe.

Rules, the first that applies wins
1. High: no usable test suite (nothing would prove the change); a build, packaging, dependency or CI
   file; a fix not known to be safe of which no test runs anything.
2. Low: only tests; or every touched line is run by the suite, few modules import the touched ones, and
   the change is written for every declared Python.
3. Medium: everything else, with each reason named.
"""

from dataclasses import dataclass

from schemas.risk import RiskClass
from services.gates.evaluator_files import is_test_code
from services.gates.machinery import is_machinery

FEW_IMPORTERS = 3
DOUBTFUL = "No test runs what it changes, and the fix is not known to keep behaviour."


@dataclass(frozen=True)
class Surface:
    """What a change touches: its files, the lines run and not run by the baseline, and who imports them.

    `public` counts touched lines that define a public name. `suite` is empty when the suite is usable,
    else the reason it is not. `unproven` says for which declared Pythons the change is not written, if any.
    `doubtful`: no site is left that is either run by the suite or fixed in a way known to be safe.
    """

    files: tuple[str, ...]
    suite: str
    covered: int
    uncovered: int
    fan_in: int
    public: int
    measured: bool
    unproven: str = ""
    doubtful: bool = False


def classify(surface: Surface) -> tuple[RiskClass, tuple[str, ...]]:
    """Return the class and its reasons, each a sentence."""
    machinery = [path for path in surface.files if is_machinery(path)]
    if surface.suite:
        return RiskClass.HIGH, (f"The suite proves nothing: {surface.suite}.",)
    if machinery:
        return RiskClass.HIGH, (f"It touches how the project is built or checked: {', '.join(machinery)}.",)
    if all(is_test_code(path) for path in surface.files):
        return RiskClass.LOW, ("Only tests are touched.",)
    if surface.doubtful:
        return RiskClass.HIGH, (DOUBTFUL,)
    reasons = _reasons(surface)
    if reasons:
        return RiskClass.MEDIUM, reasons
    return RiskClass.LOW, (
        "Every touched line is run by the suite, "
        f"and at most {surface.fan_in} modules import what is touched.",
    )


def _reasons(surface: Surface) -> tuple[str, ...]:
    reasons = []
    if not surface.measured:
        reasons.append("Which lines the suite runs could not be measured.")
    elif surface.uncovered:
        touched = surface.covered + surface.uncovered
        reasons.append(f"The suite does not run {surface.uncovered} of {touched} touched lines.")
    if surface.fan_in > FEW_IMPORTERS:
        reasons.append(f"{surface.fan_in} modules import what is touched.")
    if surface.public:
        reasons.append(f"{surface.public} touched lines define public names.")
    if surface.unproven:
        reasons.append(surface.unproven)
    return tuple(reasons)
