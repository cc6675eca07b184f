"""An improvement's facts are admitted in their order, with their evidence, by the holder of the work."""

from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.escalation import Escalated
from events.fact import Fact, Rejected
from events.improvement import ENDED, IMPROVEMENT, LANDED, MAX_ATTEMPTS, TRANSITIONS, Improvement
from events.improvement_facts import (
    Abandoned,
    BenefitMeasured,
    Blocked,
    ChangeApproved,
    ChangeDeclined,
    ChangeRolledBack,
    DeploymentFailed,
    ImprovementFact,
    Related,
    Reprioritised,
    Retried,
    RollbackRefused,
    RollbackRequested,
    Unblocked,
)
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from schemas.findings import Site
from schemas.improvement import GateResult, LeftOut, Relation, ScenarioResult, Status, StepResult
from tests import projection_facts as f
from tests.rules import Story, Waited, of

S = Status
improvement = of(IMPROVEMENT)
GREEN = GateResult(gate="suite_no_worse", version="1", passed=True, evidence="192 pass")
RED = GREEN.model_copy(update={"passed": False, "evidence": "test_a fails"})
STEP = StepResult(keyword="Then", text="every test still passes", passed=True, evidence="192 pass")
SCENARIO = ScenarioResult(name="nothing breaks", steps=(STEP,))
BROKEN = ScenarioResult(name="nothing breaks", steps=(STEP.model_copy(update={"passed": False}),))
PROVEN = "f" * 40
APPROVED = ChangeApproved(commit=PROVEN, reason="low risk")
ROLLBACK = RollbackRequested(reason="it is slow")
validated = f.validated().model_copy(update={"gates": (GREEN,), "scenarios": (SCENARIO,)})

SPECIFIED = (f.discovered(), f.claimed(), f.specified(2))
DESIGNED = (*SPECIFIED, f.claimed("architect-1", "design"), f.designed(4))
IMPLEMENTED = (*DESIGNED, f.claimed("developer-1", "change"), f.implemented(6))
VALIDATED = (*IMPLEMENTED, validated)
APPROVED_ = (*VALIDATED, APPROVED)
LANDED_ = (*APPROVED_, f.deployed())


def rolled_back() -> ChangeRolledBack:
    return ChangeRolledBack(deployment="dep-2", commit="a" * 40, tree="b" * 40, method="reverted")


def refuted(**fields: object) -> Fact:
    return f.refuted().model_copy(update=fields)


def test_what_was_discovered_begins() -> None:
    improvement.when(f.discovered(rank=3)).then(status=S.INITIALIZED, rank=3, claim=None)


def test_it_is_discovered_once() -> None:
    improvement.given(f.discovered()).when(f.discovered()).then_rejected("discovered already")


def test_nothing_happens_to_what_was_never_discovered() -> None:
    improvement.when(f.claimed()).then_rejected("no such improvement")


def test_the_holder_writes_the_requirements_and_the_claim_is_over() -> None:
    improvement.given(f.discovered(), f.claimed()).when(f.specified(2)).then(
        status=S.REQUIREMENTS_COMPLETE, claim=None
    )


def test_nobody_writes_requirements_without_a_claim() -> None:
    improvement.given(f.discovered()).when(f.specified(2)).then_rejected("held by nobody")


def test_another_claims_token_does_not_finish_the_work() -> None:
    improvement.given(f.discovered(), f.claimed()).when(f.specified(1)).then_rejected("the claim 1 is not")


def test_a_holder_whose_lease_ran_out_cannot_finish() -> None:
    improvement.given(f.discovered(), f.claimed(seconds=60), Waited(60)).when(f.specified(2)).then_rejected(
        "lease of pm-1 ran out"
    )


def test_who_took_the_work_over_finishes_it_and_the_old_holder_cannot() -> None:
    taken_over = improvement.given(
        f.discovered(), f.claimed("pm-1", seconds=60), Waited(61), f.claimed("pm-2", seconds=120)
    )
    taken_over.when(f.specified(2)).then_rejected("held by pm-2")
    taken_over.when(f.specified(3)).then(status=S.REQUIREMENTS_COMPLETE)


def test_a_design_needs_requirements() -> None:
    improvement.given(f.discovered(), f.claimed()).when(f.designed(2)).then_rejected(
        "architecture_designed is not possible while the improvement is initialized"
    )


def test_each_agent_hands_over_to_the_next() -> None:
    improvement.given(*DESIGNED).when(f.claimed("developer-1", "change")).then(status=S.ARCHITECTURE_COMPLETE)
    improvement.given(*IMPLEMENTED).when(validated).then(status=S.TESTING_COMPLETE)
    improvement.given(*VALIDATED).when(APPROVED).then(status=S.APPROVED)
    improvement.given(*APPROVED_).when(f.deployed()).then(status=S.DEPLOYMENT_COMPLETE)


def test_a_change_with_a_part_left_out_lands_partly() -> None:
    partly = f.deployed().model_copy(update={"partly": True})
    improvement.given(*APPROVED_).when(partly).then(status=S.PARTLY_LANDED)


def test_a_refused_change_goes_back_to_the_developer_with_what_to_leave_out() -> None:
    site = Site(path="a.py", scope="f", text="x = 1")
    part = LeftOut(path="a.py", site=site, reason="breaks test_a")
    improvement.given(*IMPLEMENTED).when(refuted(leave_out=(part,))).then(
        status=S.ARCHITECTURE_COMPLETE, leave_out=(part,), left_out_sites=(site,), reason="test_a fails"
    )


def test_a_change_is_written_at_most_four_times() -> None:
    story = improvement.given(*DESIGNED)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        story = story.given(f.claimed("developer-1", "change"))
        story = story.given(f.implemented(story.state.claim.token, attempt), refuted(attempt=attempt))
    story = story.given(f.claimed("developer-1", "change"))
    fifth = f.implemented(story.state.claim.token, MAX_ATTEMPTS + 1)
    story.when(fifth).then_rejected("refused 4 times; abandon it")


def related(other: str = "imp-2", relation: Relation = Relation.DUPLICATE) -> Related:
    return Related(other=other, relation=relation, reason="the same words", judged_by="rules")


@pytest.mark.parametrize(
    "story", [SPECIFIED, VALIDATED, LANDED_, (f.discovered(), Abandoned(reason="gone"))], ids=len
)
def test_how_it_stands_to_another_is_told_at_any_status_and_changes_none(story: tuple[Fact, ...]) -> None:
    status = improvement.given(*story).state.status
    improvement.given(*story).when(related()).then(status=status, relations=(related(),))


def test_each_relation_to_another_is_told_once() -> None:
    told = improvement.given(f.discovered(), related())
    told.when(related()).then_rejected("that relation to imp-2 is known")
    told.when(related(relation=Relation.CONFLICTS)).then(status=S.INITIALIZED)
    told.when(related("imp-3")).then(status=S.INITIALIZED)
    told.when(related("imp-3", Relation.UNRELATED)).then_rejected("says nothing")


def test_relations_outlast_a_retry() -> None:
    ended = (f.discovered(), related(), Abandoned(reason="asks for the same as imp-2"))
    improvement.given(*ended).when(Retried(reason="all the same")).then(relations=(related(),))


@pytest.mark.parametrize("relation", list(Relation))
def test_the_inverse_of_a_relations_inverse_is_itself(relation: Relation) -> None:
    assert relation.inverse.inverse is relation


def test_an_unmet_gate_validates_nothing() -> None:
    red = validated.model_copy(update={"gates": (GREEN, RED)})
    improvement.given(*IMPLEMENTED).when(red).then_rejected("unmet gate")


def test_a_failing_scenario_validates_nothing() -> None:
    broken = validated.model_copy(update={"scenarios": (SCENARIO, BROKEN)})
    improvement.given(*IMPLEMENTED).when(broken).then_rejected("failing scenario")


def test_only_the_proven_commit_is_approved() -> None:
    other = ChangeApproved(commit="9" * 40, reason="looks fine")
    improvement.given(*VALIDATED).when(other).then_rejected("only the commit that was proven")


def test_nothing_unapproved_is_deployed() -> None:
    improvement.given(*VALIDATED).when(f.deployed()).then_rejected("not possible while .* testing_complete")


def test_a_declined_change_ends() -> None:
    improvement.given(*VALIDATED).when(ChangeDeclined(reason="not now")).then(
        status=S.DECLINED, ended=True, reason="not now"
    )


def test_a_blocked_change_keeps_its_status_and_can_still_be_approved() -> None:
    waiting = improvement.given(*VALIDATED, Blocked(reason="risk high", needs="a person"))
    assert waiting.state.status is S.TESTING_COMPLETE
    assert waiting.state.blocked is not None
    waiting.when(APPROVED).then(status=S.APPROVED, blocked=None)


def test_an_obstacle_goes_away() -> None:
    blocked = improvement.given(f.discovered(), Blocked(reason="no disk", needs="space"))
    blocked.when(Unblocked(reason="cleaned")).then(blocked=None, status=S.INITIALIZED)


def test_a_failed_deployment_is_rolled_back() -> None:
    failed = DeploymentFailed(deployment="dep-1", reason="the health command ended with 1")
    story = improvement.given(*APPROVED_).when(failed).then(status=S.DEPLOYMENT_FAILED)
    story.when(rolled_back()).then(status=S.ROLLED_BACK, reason="the health command ended with 1")


def test_only_what_landed_is_taken_back_and_only_once_asked() -> None:
    improvement.given(*APPROVED_).when(ROLLBACK).then_rejected("not possible while .* approved")
    asked = improvement.given(*LANDED_, ROLLBACK)
    asked.when(ROLLBACK).then_rejected("asked for already")
    asked.when(rolled_back()).then(status=S.ROLLED_BACK, rollback=None, reason="it is slow")


def test_a_refused_rollback_leaves_the_change_where_it_is_and_may_be_asked_again() -> None:
    refused = improvement.given(*LANDED_, ROLLBACK, RollbackRefused(reason="a test fails without it"))
    assert refused.state.status is S.DEPLOYMENT_COMPLETE
    refused.when(ROLLBACK).then(rollback=ROLLBACK)


def test_the_worth_of_a_change_is_measured_once_it_landed() -> None:
    worth = BenefitMeasured(measure="findings of F401", before=3, after=0, report=f.ARTEFACT)
    improvement.given(*VALIDATED).when(worth).then_rejected("not possible")
    improvement.given(*LANDED_).when(worth).then(benefit=worth)


def test_an_end_is_reopened_from_the_start() -> None:
    gone = improvement.given(*IMPLEMENTED, refuted(), Abandoned(reason="not wanted"))
    gone.when(Retried(reason="look again")).then(
        status=S.INITIALIZED, refusals=(), requirements=None, design=None, change=None, claim=None
    )


def test_a_landing_is_not_retried() -> None:
    improvement.given(*LANDED_).when(Retried(reason="again")).then_rejected("deployment_complete")


def test_an_ended_improvement_has_no_rank_to_change() -> None:
    up = Reprioritised(rank=1, reason="urgent")
    improvement.given(f.discovered(rank=5)).when(up).then(rank=1)
    improvement.given(*LANDED_).when(up).then_rejected("not possible")


def test_every_fact_but_discovery_leases_and_escalation_has_its_place_in_the_table() -> None:
    leases = {WorkClaimed, WorkRenewed, WorkReleased, Escalated}
    known = {member for part in get_args(ImprovementFact) for member in (get_args(part) or (part,))}
    assert set(TRANSITIONS) == known - leases - {type(f.discovered())}


def test_every_status_is_reached_and_no_end_is_left_but_by_a_named_way() -> None:
    reached = {to for moves in TRANSITIONS.values() for to in moves.values()} | {
        S.INITIALIZED,
        S.PARTLY_LANDED,
    }
    assert reached == set(Status)
    ways = {f for f, moves in TRANSITIONS.items() for at, to in moves.items() if at in ENDED and to != at}
    assert ways == {Retried}


RUNNING = 0
tokens = st.one_of(st.just(RUNNING), st.integers(1, 30))
SITE = LeftOut(path="a.py", reason="breaks test_a")
asks = st.one_of(
    st.just(f.discovered()),
    st.builds(f.claimed, st.sampled_from(["a", "b"]), seconds=st.integers(1, 400)),
    st.builds(f.specified, tokens),
    st.builds(f.designed, tokens),
    st.builds(f.implemented, tokens, st.integers(1, 6)),
    st.just(validated),
    st.just(validated.model_copy(update={"gates": (RED,)})),
    st.sampled_from([refuted(), refuted(leave_out=(SITE,)), refuted(nothing_left=True)]),
    st.sampled_from([APPROVED, ChangeApproved(commit="9" * 40, reason="?"), ChangeDeclined(reason="no")]),
    st.sampled_from([f.deployed(), f.deployed().model_copy(update={"partly": True})]),
    st.sampled_from([DeploymentFailed(deployment="d", reason="down"), ROLLBACK, rolled_back()]),
    st.sampled_from([RollbackRefused(reason="no"), Retried(reason="again"), Abandoned(reason="gone")]),
    st.sampled_from(
        [Blocked(reason="b", needs="n"), Unblocked(reason="u"), Reprioritised(rank=2, reason="r")]
    ),
    st.builds(WorkReleased, claim=tokens, reason=st.just("stop")),
    st.builds(Waited, st.integers(1, 90)),
)


def shown(step: Fact | Waited, story: Story) -> Fact | Waited:
    """The same with the running token where `RUNNING` stands for it."""
    claim = story.state.claim
    if isinstance(step, Waited) or claim is None or getattr(step, "claim", None) != RUNNING:
        return step
    return step.model_copy(update={"claim": claim.token})


def admitted(steps: list[Fact | Waited]) -> Iterator[tuple[Story, Fact | Waited, Story]]:
    """Walk through all that is asked for, skipping what the rules refuse."""
    story = improvement
    for asked in steps:
        before, step = story, shown(asked, story)
        try:
            story = before.given(step)
        except Rejected:
            continue
        yield before, step, story


@settings(max_examples=300, deadline=None)
@given(st.integers(1, len(LANDED_)), st.lists(asks, max_size=40))
def test_no_sequence_of_facts_breaks_the_invariants(begun: int, steps: list[Fact | Waited]) -> None:
    last = improvement
    for before, step, after in admitted([*LANDED_[:begun], *steps]):
        state: Improvement = after.state
        assert (state.status is None) == (state.discovered is None)
        if isinstance(step, WorkClaimed) and before.state.claim is not None:
            assert before.now >= before.state.claim.lease_until
        if (token := getattr(step, "claim", None)) is not None:
            assert before.state.claim is not None
            assert before.state.claim.token == token
            assert before.now < before.state.claim.lease_until
        if state.status in (S.TESTING_COMPLETE, S.APPROVED, *LANDED):
            assert state.verdict is not None
            assert state.change is not None
            assert all(gate.passed for gate in state.verdict.gates)
        if state.status in (S.APPROVED, *LANDED):
            assert state.approval is not None
            assert state.verdict is not None
            assert state.approval.commit == state.verdict.commit
        if state.status in LANDED:
            assert state.deployed is not None
        if type(step) in TRANSITIONS:
            moved = TRANSITIONS[type(step)][before.state.status]
            partly = getattr(step, "partly", False)
            assert state.status is (S.PARTLY_LANDED if partly else moved)
        else:
            assert state.status is before.state.status or step == f.discovered()
        last = after
    assert last.replayed() == last.state


@pytest.mark.parametrize("length", range(len(LANDED_) + 1))
def test_replay_after_json_gives_the_same_state(length: int) -> None:
    story = improvement.given(*LANDED_[:length])
    assert story.replayed() == story.state
