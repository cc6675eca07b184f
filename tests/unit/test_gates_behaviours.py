"""What was asked for is shown by tests as its kind allows, or waits for a person, or is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from schemas.suite import Outcome, SuiteEnd, SuiteReport
from services.gates.behaviours import GUARDS_NOTHING, NOT_MEASURED, Promise, Showing, behaviours_shown

P, F, S = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED
NEW = "tests/test_sum.py::test_adds"
ASKED = {"adds": Promise.NEW}
GUARDED = {"adds": Promise.GUARDED}
KEPT = {"adds": Promise.KEPT}


def report(tests: Mapping[str, Outcome], end: SuiteEnd = SuiteEnd.FINISHED) -> SuiteReport:
    return SuiteReport(end=end, exit_code=0, tests=dict(tests), duration_ms=1)


def showing(
    before: Mapping[str, Outcome],
    after: Mapping[str, Outcome],
    proofs: Mapping[str, Sequence[str]] | None = None,
    end: SuiteEnd = SuiteEnd.FINISHED,
) -> Showing:
    return Showing({"adds": [NEW]} if proofs is None else proofs, report(before, end), report(after))


@pytest.mark.parametrize(
    ("before", "end"),
    [
        ({NEW: F}, SuiteEnd.FINISHED),
        ({NEW: Outcome.ERROR}, SuiteEnd.FINISHED),
        ({}, SuiteEnd.COLLECTION_FAILED),
    ],
    ids=["it failed", "it erred", "it could not be collected"],
)
def test_a_test_that_fails_without_and_passes_with_shows_the_behaviour(
    before: Mapping[str, Outcome], end: SuiteEnd
) -> None:
    gate = behaviours_shown(ASKED, showing(before, {NEW: P}, end=end))
    assert gate.passed, gate.evidence
    assert gate.evidence == "1 behaviour shown by 1 test"


def test_of_a_parametrized_test_one_case_that_failed_before_is_enough() -> None:
    before, after = {f"{NEW}[0]": P, f"{NEW}[1]": F}, {f"{NEW}[0]": P, f"{NEW}[1]": P}
    assert behaviours_shown(ASKED, showing(before, after)).passed


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (showing({NEW: P}, {NEW: P}), "passes without the change too"),
        (showing({NEW: F}, {NEW: F}), "does not pass with the change: failed"),
        (showing({NEW: F}, {NEW: S}), "does not pass with the change: skipped"),
        (showing({NEW: F}, {}), "there is no such test"),
        (showing({}, {f"{NEW}_more": P}), "there is no such test"),
        (showing({NEW: F}, {NEW: P}, {}), "no test is named for it"),
        (showing({NEW: F}, {NEW: P}, {"adds": []}), "no test is named for it"),
        (showing({}, {NEW: P}, end=SuiteEnd.CRASHED), "ended crashed"),
        (showing({}, {NEW: P}, end=SuiteEnd.TIMED_OUT), "ended timed_out"),
        (Showing({"adds": [NEW]}, None, None), "the suite was not run"),
        (showing({NEW: F}, {NEW: P}, {"adds": [NEW], "more": [NEW]}), "nobody asked for it"),
    ],
)
def test_anything_else_is_refused_by_name(made: Showing, said: str) -> None:
    gate = behaviours_shown(ASKED, made)
    assert not gate.passed
    assert said in gate.evidence


def test_each_behaviour_needs_a_proof_of_its_own() -> None:
    gate = behaviours_shown({**ASKED, "subtracts": Promise.NEW}, showing({NEW: F}, {NEW: P}))
    assert gate.evidence == "subtracts: no test is named for it"


def guarding(there: Sequence[str] = (), reach: int = 0, after: Outcome = P) -> Showing:
    return Showing({"adds": [NEW]}, report({NEW: P}), report({NEW: after}), there, {NEW: reach})


def test_a_new_test_that_reaches_what_none_ran_before_guards_it() -> None:
    gate = behaviours_shown(GUARDED, guarding(reach=3))
    assert (gate.passed, gate.person) == (True, "")
    assert gate.evidence == f"1 behaviour shown by 1 test; {NEW} runs 3 lines that no test ran before"


def test_a_new_test_that_reaches_nothing_new_waits_for_a_person() -> None:
    gate = behaviours_shown(GUARDED, guarding())
    assert (gate.passed, gate.person) == (True, f"{NEW} {GUARDS_NOTHING}")
    assert gate.evidence == f"{NEW} {GUARDS_NOTHING}; a person decides"


def test_one_test_that_guards_does_not_answer_for_another() -> None:
    other = f"{NEW}_more"
    ran = report({NEW: P, other: P})
    gate = behaviours_shown(GUARDED, Showing({"adds": [NEW, other]}, ran, ran, (), {NEW: 3}))
    assert (gate.passed, gate.person) == (True, f"{other} {GUARDS_NOTHING}")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (guarding(there=[NEW], reach=3), "was there before the change"),
        (guarding(there=[f"{NEW}[0]"], reach=3), "was there before the change"),
        (guarding(reach=3, after=F), "does not pass with the change: failed"),
        (guarding(reach=3, after=S), "does not pass with the change: skipped"),
    ],
)
def test_what_does_not_guard_is_refused_by_name(made: Showing, said: str) -> None:
    gate = behaviours_shown(GUARDED, made)
    assert (gate.passed, gate.person) == (False, "")
    assert said in gate.evidence


def test_reach_is_no_proof_of_what_is_new() -> None:
    assert not behaviours_shown(ASKED, guarding(reach=3)).passed


@pytest.mark.parametrize("there", [(), (NEW,)], ids=["a new test", "a test that was there"])
def test_what_is_kept_while_something_is_bettered_waits_for_a_person(there: Sequence[str]) -> None:
    gate = behaviours_shown(KEPT, guarding(there, reach=3))
    assert (gate.passed, gate.person) == (True, f"{NEW} {NOT_MEASURED}")
    assert gate.evidence == f"{NEW} {NOT_MEASURED}; a person decides"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (F, P, "does not pass without the change"),
        (P, F, "does not pass with the change: failed"),
        (P, S, "does not pass with the change: skipped"),
    ],
)
def test_what_did_not_pass_before_and_after_was_not_kept(before: Outcome, after: Outcome, said: str) -> None:
    gate = behaviours_shown(KEPT, showing({NEW: before}, {NEW: after}))
    assert (gate.passed, gate.person) == (False, "")
    assert said in gate.evidence


NO_SUITE = "no suite proved anything before the change: the project has no test"


@pytest.mark.parametrize("promise", [Promise.NEW, Promise.KEPT])
def test_where_no_suite_stood_before_a_person_decides_on_what_is_shown(promise: Promise) -> None:
    before = P if promise is Promise.KEPT else F
    made = replace(showing({NEW: before}, {NEW: P}), unproven="the project has no test")
    gate = behaviours_shown({"adds": promise}, made)
    assert gate.passed
    assert gate.person.startswith(NO_SUITE)
    assert gate.evidence.endswith(f"{NO_SUITE}; a person decides")


def test_where_no_suite_stood_before_what_is_not_shown_is_refused_all_the_same() -> None:
    made = replace(showing({NEW: P}, {NEW: P}), unproven="the project has no test")
    gate = behaviours_shown(ASKED, made)
    assert (gate.passed, gate.person) == (False, "")


def test_where_no_test_can_be_run_a_person_decides_and_is_told() -> None:
    gate = behaviours_shown(ASKED, Showing({"adds": [NEW]}, None, None, unproven="no pytest"))
    assert (gate.passed, "no test could be run" in gate.person) == (True, True)
    assert gate.evidence.startswith("no test could be run, so nothing shows it")
