"""What a person reads where a change did not stay, where nothing was new, and where a rule is unknown."""

from pathlib import Path

import pytest

from events.fact import Rejected
from events.improvement import Improvement
from events.improvement_facts import RollbackRequested
from schemas.improvement import Status
from services.cli.cycle.afterwards import afterwards, first_words, undone
from services.cli.cycle.rule_names import unknown_rules
from services.cycle.outcome import Outcome, Result, SuiteCounts
from services.cycle.words import Standing, standing
from services.steering.decisions import refusal

NO_TESTS = SuiteCounts(passed=0, failed=0)
BLOCKED = "the branch aps/improved is checked out in /srv/p: switch to another branch there, then retry"


def result(id: str, status: Status, commit: str | None, reason: str) -> Result:
    return Result(
        id=id,
        title="t",
        source="ruff",
        rule="F401",
        status=status,
        commit=commit,
        reason=reason,
        files=("a.py",),
    )


def outcome(*improvements: Result) -> Outcome:
    return Outcome(
        target="/srv/p",
        base="b" * 40,
        head="b" * 40,
        branch="aps/improved",
        scope=(),
        engine="deterministic",
        findings_before=0,
        findings_after=0,
        tests_before=NO_TESTS,
        tests_after=NO_TESTS,
        suite_runs=0,
        seconds=0,
        events=0,
        improvements=improvements,
        scan="p-s2",
        target_id="p",
        title="p",
        notes=(),
        waiting=(),
        dry_run=False,
        look_only=False,
        failure="",
        splits=(),
        failing=(),
        origin="/srv/p",
        limit=0,
        rules=(),
        remembered={},
        nothing_new=True,
        findings={},
    )


def test_what_never_landed_is_not_called_taken_back() -> None:
    never = result("a-1", Status.ROLLED_BACK, None, BLOCKED)
    gone = result("b-2", Status.ROLLED_BACK, "c" * 40, "asked for")
    assert standing(outcome(never), never) is Standing.NOT_DEPLOYED
    assert standing(outcome(gone), gone) is Standing.TAKEN_BACK


def test_the_ending_names_the_commands_that_try_again() -> None:
    never = [result(id, Status.ROLLED_BACK, None, BLOCKED) for id in ("a-1", "b-2")]
    gone = result("c-3", Status.ROLLED_BACK, "c" * 40, "asked for")
    told = afterwards(outcome(*never, gone), Path("/r.html"), "aps", ())
    assert f"not deployed: 2 improvements: {BLOCKED}" in told
    assert "mend that, then: aps improvements retry a-1 b-2" in told
    assert "taken back: 1 improvement; to land again: aps improvements retry c-3" in told


@pytest.mark.parametrize("status", [Status.ABANDONED, Status.DECLINED])
def test_a_request_that_was_not_done_says_why_whole_and_how_to_try_again_on_a_line(status: Status) -> None:
    why = (
        f"no engine wrote it: 401 {'x' * 300}. Give a key that is accepted, then: aps improvements retry a-1"
    )
    wish = result("a-1", status, None, why).model_copy(update={"source": "request"})
    assert undone(outcome(wish)) == (wish,)
    told = afterwards(outcome(wish), Path("/r.html"), "APS_HOME=/srv/aps aps", ())
    assert f"not done: a-1: {why}" in told
    assert "explain:  APS_HOME=/srv/aps aps improvements explain a-1" in told
    assert "again:    APS_HOME=/srv/aps aps improvements retry a-1" in told


def test_a_request_that_landed_waits_or_goes_on_elsewhere_is_not_undone() -> None:
    for status in (Status.DEPLOYMENT_COMPLETE, Status.TESTING_COMPLETE, Status.INITIALIZED):
        wish = result("a-1", status, None, "").model_copy(update={"source": "request"})
        assert undone(outcome(wish)) == ()
    assert undone(outcome(result("b-2", Status.ABANDONED, None, "nothing left"))) == ()


def test_a_run_without_news_says_so_first() -> None:
    landed = result("a-1", Status.DEPLOYMENT_COMPLETE, "c" * 40, "low risk")
    assert first_words(outcome(landed)) == "nothing new: 1 landed before, branch aps/improved"


@pytest.mark.parametrize("known", ["F", "UP006", "RUF100", "ALL"])
def test_rules_and_their_prefixes_are_known(known: str) -> None:
    assert unknown_rules((known,)) == ()


def test_rules_nobody_knows_are_named() -> None:
    assert unknown_rules(("F", "ZZZ", "UP999")) == ("ZZZ", "UP999")


def test_a_decision_that_comes_too_late_is_refused_in_a_persons_words() -> None:
    state = Improvement(status=Status.ROLLED_BACK)
    said = refusal(state, RollbackRequested(reason="x"), Rejected("rollback_requested is not possible"))
    assert said == "cannot be taken back while it is rolled back"
