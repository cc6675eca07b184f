"""Whenever something happened, each role knows its work: tables of event and work."""

from dataclasses import replace

import pytest

from events.delivery import Received
from events.fact import Fact
from events.improvement import IMPROVEMENT, MAX_ATTEMPTS, Improvement
from events.improvement_facts import (
    DRY_RUN,
    Abandoned,
    Blocked,
    ChangeApproved,
    ChangeDeclined,
    Reprioritised,
    Retried,
    RollbackRequested,
)
from events.target import TARGET, Target
from schemas.delivery import Source
from schemas.improvement import Status
from schemas.risk import RiskClass
from schemas.sealed import Sealed
from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.architect.policy import whenever as architect
from services.deployer import policy as deployer
from services.deployer.policy import Deploy, TakeBack, decided, deployable, landed
from services.developer.policy import Abandon, Implement
from services.developer.policy import whenever as developer
from services.devops.policy import Circumstances, assess
from services.pm.policy import Read, Scan, Specify, improvement_id, inputs_digest, remembered
from services.pm.policy import whenever as pm
from services.qa.policy import RecordBaseline, TryTogether, flaky, ready, settled_report, unusable
from services.qa.policy import whenever as qa
from tests import projection_facts as f
from tests.rules import of

S = Status
NEW = of(IMPROVEMENT).given(f.discovered()).state
APPROVAL = ChangeApproved(commit="f" * 40, reason="low risk")
ROLLBACK = RollbackRequested(reason="slow")
SCANNED = of(TARGET).given(f.registered(), f.scan_requested(), f.claimed(), f.scanned(3)).state


def at(status: Status, **fields: object) -> Improvement:
    return replace(NEW, status=status, design=f.designed(), verdict=f.validated(), **fields)


@pytest.mark.parametrize(
    ("fact", "work"),
    [
        (f.scan_requested("s7"), Scan("toolz", "s7")),
        (f.discovered(), Specify("toolz", new=True)),
        (Retried(reason="again"), Specify("toolz")),
        (f.scanned(), None),
        (f.specified(), None),
    ],
)
def test_pm_searches_targets_and_specifies_what_was_found(fact: Fact, work: object) -> None:
    assert pm("toolz", fact) == work


RECEIVED = Received(
    source=Source.GITHUB,
    key="1",
    event="push",
    about="github.com/octocat/shop",
    size=2,
    body_sha256="0" * 64,
    sealed=Sealed(sealed_for="delivery/github-20260105", body="YXBz"),
)


def test_pm_reads_what_was_delivered() -> None:
    assert pm("github-1", RECEIVED) == Read("github-1")


@pytest.mark.parametrize("status", list(Status))
def test_pm_remembers_what_was_refused_on_the_same_files(status: Status) -> None:
    why = remembered("c" * 64, [("f401-1", at(status, reason="breaks test_a"))])
    refused = {S.ABANDONED, S.DECLINED, S.ROLLED_BACK}
    assert (why is not None) == (status in refused)
    if why is not None:
        assert why == f"f401-1 was {status.value} on the same files: breaks test_a"


def test_pm_proposes_again_once_the_files_or_the_tool_changed() -> None:
    inputs = inputs_digest("F401", "0.17.6", [("a.py", "1"), ("b.py", "2")])
    assert inputs == inputs_digest("F401", "0.17.6", [("b.py", "2"), ("a.py", "1")])
    others = [
        inputs_digest("F401", "0.17.6", [("a.py", "1"), ("b.py", "3")]),
        inputs_digest("F401", "0.18.0", [("a.py", "1"), ("b.py", "2")]),
        inputs_digest("UP031", "0.17.6", [("a.py", "1"), ("b.py", "2")]),
    ]
    assert inputs not in others
    assert remembered(others[0], [("f401-1", at(S.ABANDONED))]) is None


def test_the_same_rule_at_the_same_commit_is_the_same_improvement() -> None:
    one = improvement_id("toolz", "b" * 40, "F401")
    assert one.startswith("f401-")
    assert one == improvement_id("toolz", "b" * 40, "F401")
    assert len({one, improvement_id("t", "b" * 40, "F401"), improvement_id("toolz", "c" * 40, "F401")}) == 3


@pytest.mark.parametrize(
    ("fact", "target", "designed"),
    [
        (f.specified(), SCANNED, ("imp-9",)),
        (f.baseline(), SCANNED, ("imp-1",)),
        (f.baseline(), Target(), ()),
        (f.baseline().model_copy(update={"base": "c" * 40}), SCANNED, ()),
        (f.discovered(), SCANNED, ()),
    ],
)
def test_the_architect_designs_what_is_specified_and_measured(
    fact: Fact, target: Target, designed: tuple[str, ...]
) -> None:
    assert architect("imp-9", fact, target) == designed


REFUSED = f.refuted()
HOPELESS = REFUSED.model_copy(update={"nothing_left": True})


@pytest.mark.parametrize(
    ("fact", "state", "work"),
    [
        (f.designed(), at(S.ARCHITECTURE_COMPLETE), Implement("imp-1")),
        (REFUSED, at(S.ARCHITECTURE_COMPLETE, refusals=(REFUSED,)), Implement("imp-1")),
        (HOPELESS, at(S.ARCHITECTURE_COMPLETE, refusals=(HOPELESS,)), Abandon("imp-1", "test_a fails")),
        (
            REFUSED,
            at(S.ARCHITECTURE_COMPLETE, refusals=(REFUSED,) * MAX_ATTEMPTS),
            Abandon("imp-1", "refused 4 times; the last time: test_a fails"),
        ),
        (f.designed(), at(S.IMPLEMENTATION_COMPLETE), None),
        (f.designed(), at(S.ABANDONED), None),
        (f.specified(), at(S.ARCHITECTURE_COMPLETE), None),
    ],
)
def test_the_developer_writes_writes_smaller_or_gives_up(
    fact: Fact, state: Improvement, work: object
) -> None:
    assert developer("imp-1", fact, state) == work


@pytest.mark.parametrize(
    ("fact", "work"),
    [
        (f.scanned(), RecordBaseline("one", "s1")),
        (f.implemented(), TryTogether("one")),
        (Abandoned(reason="nothing left"), TryTogether("one")),
        (f.baseline(), None),
        (f.validated(), None),
    ],
)
def test_qa_measures_first_and_tries_what_was_written(fact: Fact, work: object) -> None:
    assert qa("one", fact) == work


def test_qa_waits_until_every_change_is_written() -> None:
    states = {"a": at(S.IMPLEMENTATION_COMPLETE), "b": at(S.ARCHITECTURE_COMPLETE)}
    assert ready(states) == ()
    assert ready({**states, "b": at(S.ABANDONED)}) == ("a",)


def test_qa_stacks_by_rank_and_what_needs_a_person_last() -> None:
    high = f.designed().model_copy(update={"risk": RiskClass.HIGH})
    states = {
        "risky": replace(at(S.IMPLEMENTATION_COMPLETE, rank=1), design=high),
        "third": at(S.IMPLEMENTATION_COMPLETE, rank=3),
        "second": at(S.IMPLEMENTATION_COMPLETE, rank=2),
    }
    assert ready(states) == ("second", "third", "risky")


def suite(end: SuiteEnd = SuiteEnd.FINISHED, **tests: Outcome) -> SuiteReport:
    return SuiteReport(end=end, exit_code=0, tests=tests, duration_ms=1)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (suite(a=Outcome.PASSED), ""),
        (suite(a=Outcome.PASSED, b=Outcome.FAILED), ""),
        (suite(a=Outcome.FAILED), "no test passes before any change"),
        (suite(), "no test passes before any change"),
        (suite(SuiteEnd.NOTHING_COLLECTED), "the project has no test that pytest finds"),
        (suite(SuiteEnd.TIMED_OUT), "the suite did not end within the time limit"),
        (suite(SuiteEnd.OUT_OF_MEMORY), "the suite needs more memory than the limit allows"),
        (suite(SuiteEnd.CRASHED, a=Outcome.PASSED), "the suite ended without finishing its report"),
        (suite(SuiteEnd.COLLECTION_FAILED, a=Outcome.PASSED), ""),
    ],
)
def test_qa_says_why_a_suite_proves_nothing(report: SuiteReport, reason: str) -> None:
    assert unusable(report) == reason


def test_qa_calls_flaky_what_changes_without_a_change() -> None:
    first = suite(a=Outcome.PASSED, b=Outcome.PASSED)
    second = suite(a=Outcome.PASSED, b=Outcome.FAILED, c=Outcome.PASSED)
    assert flaky(first, second) == ("b", "c")
    assert settled_report(first, second).tests == {
        "a": Outcome.PASSED,
        "b": Outcome.FAILED,
        "c": Outcome.PASSED,
    }


LOW = Circumstances(RiskClass.LOW, dry_run=False)
MEDIUM = Circumstances(RiskClass.MEDIUM, dry_run=False)
FULL = Circumstances(RiskClass.HIGH, dry_run=False)
DRY = Circumstances(RiskClass.HIGH, dry_run=True)


@pytest.mark.parametrize("autonomy", list(RiskClass))
@pytest.mark.parametrize("risk", list(RiskClass))
def test_devops_lands_what_is_within_its_autonomy_and_asks_for_the_rest(
    risk: RiskClass, autonomy: RiskClass
) -> None:
    design = f.designed().model_copy(update={"risk": risk})
    decision = assess(
        "imp-1", replace(at(S.TESTING_COMPLETE), design=design), Circumstances(autonomy, dry_run=False)
    )
    if risk.level <= autonomy.level:
        assert decision == ChangeApproved(
            commit="f" * 40, reason=f"risk {risk} is within the autonomy {autonomy}; every gate passed"
        )
    else:
        assert isinstance(decision, Blocked)
        assert decision.needs == "a person: aps improvements approve imp-1"


@pytest.mark.parametrize(
    "path",
    [
        "pyproject.toml",
        "setup.py",
        "conftest.py",
        ".github/workflows/ci.yml",
        "requirements.txt",
        "Makefile",
        "Dockerfile",
    ],
)
def test_what_builds_or_checks_waits_for_a_person_though_no_plan_spoke_of_it(path: str) -> None:
    state = at(S.TESTING_COMPLETE)
    assert state.verdict is not None
    verdict = state.verdict.model_copy(update={"files": ("tiny/a.py", path)})
    decision = assess("imp-1", replace(state, verdict=verdict), MEDIUM)
    assert isinstance(decision, Blocked)
    assert path in decision.reason
    assert isinstance(assess("imp-1", replace(state, verdict=verdict), FULL), ChangeApproved)


@pytest.mark.parametrize("status", [s for s in Status if s is not S.TESTING_COMPLETE])
def test_devops_decides_only_what_is_proven(status: Status) -> None:
    assert assess("imp-1", at(status), MEDIUM) is None


def test_devops_lands_nothing_of_a_dry_run_until_a_run_that_may() -> None:
    waiting = assess("imp-1", at(S.TESTING_COMPLETE), DRY)
    assert waiting == Blocked(reason=DRY_RUN, needs="a run without --dry-run")
    again = at(S.TESTING_COMPLETE, blocked=waiting)
    assert assess("imp-1", again, DRY) is None
    assert isinstance(assess("imp-1", again, LOW), ChangeApproved)


@pytest.mark.parametrize(
    ("fact", "state", "work"),
    [
        (APPROVAL, at(S.APPROVED), Deploy("batch-1")),
        (APPROVAL, at(S.DEPLOYMENT_COMPLETE), None),
        (ChangeDeclined(reason="no"), at(S.DECLINED), Deploy("batch-1")),
        (ROLLBACK, at(S.DEPLOYMENT_COMPLETE, rollback=ROLLBACK), TakeBack("toolz")),
        (ROLLBACK, at(S.ROLLED_BACK), None),
        (f.validated(), at(S.TESTING_COMPLETE), None),
        (Reprioritised(rank=1, reason="urgent"), at(S.APPROVED), None),
    ],
)
def test_the_deployer_lands_what_is_approved_and_takes_back_what_is_asked_for(
    fact: Fact, state: Improvement, work: object
) -> None:
    assert deployer.whenever(fact, state) == work


def test_the_deployer_waits_for_every_decision_but_not_for_a_person() -> None:
    proven, approved = at(S.TESTING_COMPLETE), at(S.APPROVED)
    blocked = replace(proven, blocked=Blocked(reason="risk high", needs="a person"))
    assert not decided({"a": approved, "b": proven})
    assert decided({"a": approved, "b": blocked, "c": at(S.ABANDONED)})


def test_the_deployer_keeps_the_stacking_order() -> None:
    states = {"a": at(S.APPROVED), "b": at(S.DECLINED), "c": at(S.APPROVED), "d": at(S.PARTLY_LANDED)}
    assert deployable(("c", "b", "a", "d"), states) == ("c", "a")
    assert landed(("d", "a"), states) == ("d",)
