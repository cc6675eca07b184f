"""What a plan declares to take away passes the gates, is recorded, and makes a person look."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from events.improvement import IMPROVEMENT
from events.improvement_facts import Blocked
from schemas.improvement import Declared, GateResult, Status
from schemas.risk import RiskClass
from services.architect.planning import Plan, Step, risk_of
from services.devops.policy import Circumstances, assess
from services.qa.standalone import judged_alone
from tests import projection_facts as f
from tests.rules import of
from tests.tricks import SOURCE

PLAN = Plan(summary="s", steps=(Step(what="do it"),), decision="d")
LESS = SOURCE.replace("    assert n != 7\n", "")
PLACE = "pkg/m.py::double"
FULL = Circumstances(autonomy=RiskClass.HIGH, dry_run=False)


def test_a_check_that_the_plan_declares_to_go_may_go_and_the_evidence_names_it() -> None:
    files = {"pkg/m.py": SOURCE}, {"pkg/m.py": LESS}
    refused = judged_alone("", *files).logging
    assert (refused.passed, refused.evidence) == (False, f"{PLACE}: assert is gone")
    passed = judged_alone("", *files, declared=Declared(removes=(PLACE,))).logging
    assert passed.passed
    assert passed.evidence == f"kept in 1 file; gone as the plan declares: {PLACE}: assert is gone"


def test_a_declared_loss_raises_the_risk_and_says_where() -> None:
    plan = PLAN.model_copy(update={"removes": (PLACE,), "irreversible": ("db/versions/a1.py",)})
    assert plan.declared == Declared(removes=(PLACE,), irreversible=("db/versions/a1.py",))
    risk, reasons = risk_of(plan, (), "")
    assert risk is RiskClass.HIGH
    assert reasons[:2] == (
        f"Log lines, raised errors or checks go from {PLACE}.",
        "It cannot be taken back by db/versions/a1.py.",
    )
    assert risk_of(PLAN, (), "")[0] is RiskClass.MEDIUM


@pytest.mark.parametrize("place", ["", "double", "a.py::b::c", "a.txt::f", "x" * 400 + ".py"])
def test_what_is_no_place_cannot_be_declared(place: str) -> None:
    with pytest.raises(ValidationError, match="removes"):
        Plan.model_validate({**PLAN.model_dump(), "removes": (place,)})


def test_what_a_gate_could_not_try_waits_for_a_person_at_any_autonomy() -> None:
    untried = GateResult(
        gate="migrations", version="1", passed=True, evidence="not tried", person="they could not be tried"
    )
    proven = f.validated().model_copy(update={"gates": (untried,)})
    state = replace(
        of(IMPROVEMENT).given(f.discovered()).state,
        status=Status.TESTING_COMPLETE,
        design=f.designed(),
        verdict=proven,
    )
    decision = assess("imp-1", state, FULL)
    assert isinstance(decision, Blocked)
    assert decision.reason == "migrations: they could not be tried: whatever the autonomy, a person decides"
