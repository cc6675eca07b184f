"""A deployment ends once: it succeeded, or it failed and the branch stands where it stood before."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.deployment import DEPLOYMENT, Failed, HealthChecked, RolledBack, StepCompleted, Succeeded
from events.fact import Fact, Rejected
from tests import projection_facts as f
from tests.rules import Waited, of

deployment = of(DEPLOYMENT)
started = deployment.given(f.deployment_started("imp-1"))
STEP = StepCompleted(step="apply", detail="aps/improved stands at ffff")
SICK = HealthChecked(command="make smoke", passed=False, exit_code=1)
HEALTHY = HealthChecked(command="make smoke", passed=True, exit_code=0)
DONE = Succeeded(tip="f" * 40, tree="e" * 40)
FAILED = Failed(reason="the health command ended with 1")
BACK = RolledBack(tip="", tree="")


def test_it_is_started_once() -> None:
    started.when(f.deployment_started("imp-2")).then_rejected("started already")


def test_nothing_happens_to_what_was_not_started() -> None:
    deployment.when(STEP).then_rejected("no such deployment")


def test_a_healthy_deployment_succeeds() -> None:
    started.given(STEP, HEALTHY).when(DONE).then(ended=DONE, steps=("apply",), health=HEALTHY)


def test_a_failed_deployment_is_rolled_back_and_cannot_succeed() -> None:
    failed = started.given(STEP, SICK, FAILED)
    failed.when(DONE).then_rejected("is rolled back")
    failed.when(BACK).then(ended=BACK, failed=FAILED)


def test_only_a_failed_deployment_is_rolled_back() -> None:
    started.given(STEP).when(BACK).then_rejected("only a failed deployment")


@pytest.mark.parametrize("fact", [STEP, HEALTHY, DONE, FAILED, BACK])
def test_nothing_follows_the_end(fact: Fact) -> None:
    started.given(DONE).when(fact).then_rejected("the deployment is over")


asks = st.one_of(
    st.sampled_from([f.deployment_started("imp-1"), STEP, SICK, HEALTHY, DONE, FAILED, BACK]),
    st.builds(f.claimed, seconds=st.integers(1, 200)),
    st.builds(Waited, st.integers(1, 90)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(asks, max_size=25))
def test_no_sequence_of_facts_ends_it_twice(steps: list[Fact | Waited]) -> None:
    story = deployment
    for step in steps:
        try:
            story = story.given(step)
        except Rejected:
            continue
    ends = [fact for fact, _ in story.told if isinstance(fact, Succeeded | RolledBack)]
    assert len(ends) <= 1
    assert ends == ([story.state.ended] if story.state.ended else [])
    assert not (isinstance(story.state.ended, Succeeded) and story.state.failed)
    assert story.replayed() == story.state
