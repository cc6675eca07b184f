"""What DevOps decides: what lands without a person, and what waits for one.

Rules
1. `autonomy` is the highest risk class that lands without a person. What builds or checks the project is of
   high risk wherever it was written, also where no plan spoke of it.
2. A dry run lands nothing; what it proved waits for a run that may land it.
3. What keeps this product safe changes only with a person, at any autonomy; so does what a gate could not
   try.
"""

from dataclasses import dataclass

from events.improvement import Improvement
from events.improvement_facts import DRY_RUN, ArchitectureDesigned, Blocked, ChangeApproved, ChangeValidated
from schemas.improvement import Status
from schemas.risk import RiskClass
from services.gates.machinery import is_machinery
from services.gates.own_safety import needs_a_person


@dataclass(frozen=True)
class Circumstances:
    """What the decision depends on besides the improvement."""

    autonomy: RiskClass
    dry_run: bool


def assess(id: str, state: Improvement, at: Circumstances) -> ChangeApproved | Blocked | None:
    """Return the decision on a proven change; None when it is not proven, or waits for a person already."""
    if state.status is not Status.TESTING_COMPLETE or state.verdict is None or state.design is None:
        return None
    risk, why = _risk(state.design, state.verdict.files)
    guarded = _why_a_person(state.verdict)
    person = f"a person: aps improvements approve {id}"
    if at.dry_run:
        decision: ChangeApproved | Blocked = Blocked(reason=DRY_RUN, needs="a run without --dry-run")
    elif guarded:
        decision = Blocked(reason=f"{guarded}: whatever the autonomy, a person decides", needs=person)
    elif risk.level <= at.autonomy.level:
        reason = f"risk {risk.value} is within the autonomy {at.autonomy.value}; every gate passed"
        return ChangeApproved(commit=state.verdict.commit, reason=reason)
    else:
        decision = Blocked(
            reason=f"risk {risk.value} is above the autonomy {at.autonomy.value}. {why}",
            needs=person,
        )
    return None if state.blocked == decision else decision


def _risk(design: ArchitectureDesigned, files: tuple[str, ...]) -> tuple[RiskClass, str]:
    """Return the class of what was written, and its reasons: an engine may write what no plan spoke of."""
    machinery = [path for path in files if is_machinery(path)]
    if not machinery or design.risk is RiskClass.HIGH:
        return design.risk, " ".join(design.reasons)
    return RiskClass.HIGH, f"It touches how the project is built or checked: {', '.join(machinery)}."


def _why_a_person(verdict: ChangeValidated) -> str | None:
    """Say why a person decides, whatever the autonomy; None where none need to."""
    reasons = [f"{gate.gate}: {gate.person}" for gate in verdict.gates if gate.person]
    if guarded := needs_a_person(verdict.files):
        reasons.insert(0, guarded)
    return "; ".join(reasons) or None
