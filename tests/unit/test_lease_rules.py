"""One lease for every kind of work: one holder at a time, over when its time is over."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from events.fact import Fact, Rejected
from events.improvement import IMPROVEMENT
from events.lease import WorkReleased, WorkRenewed
from tests import projection_facts as f
from tests.projection_facts import START
from tests.rules import Waited, of

work = of(IMPROVEMENT).given(f.discovered())


def renewed(claim: int, seconds: int) -> WorkRenewed:
    return WorkRenewed(claim=claim, lease_until=START + timedelta(seconds=seconds))


def test_the_first_claim_wins() -> None:
    first = work.given(f.claimed("pm-1"))
    assert (first.state.claim.agent, first.state.claim.token) == ("pm-1", 2)
    first.when(f.claimed("pm-2")).then_rejected("claimed by pm-1 until 2026-03-01T12:01:00")


def test_a_running_claim_is_refused_even_to_its_own_holder() -> None:
    work.given(f.claimed("pm-1")).when(f.claimed("pm-1")).then_rejected("claimed by pm-1")


def test_a_lease_ends_in_the_future() -> None:
    work.given(Waited(60)).when(f.claimed(seconds=60)).then_rejected("must end in the future")


def test_a_stale_claim_can_be_taken_over_at_the_very_second() -> None:
    stale = work.given(f.claimed("pm-1", seconds=60))
    stale.given(Waited(59)).when(f.claimed("pm-2", seconds=99)).then_rejected("claimed by pm-1")
    taken = stale.given(Waited(60), f.claimed("pm-2", seconds=99))
    assert (taken.state.claim.agent, taken.state.claim.token) == ("pm-2", 3)


def test_a_renewal_keeps_the_token_and_moves_the_end() -> None:
    held = work.given(f.claimed("pm-1", seconds=60), Waited(59), renewed(2, 200), Waited(100))
    assert held.state.claim.token == 2
    held.when(f.claimed("pm-2", seconds=300)).then_rejected("claimed by pm-1")


def test_a_lease_that_ran_out_is_not_renewed() -> None:
    work.given(f.claimed(seconds=60), Waited(60)).when(renewed(2, 200)).then_rejected("ran out")


def test_only_the_holder_renews_or_releases() -> None:
    taken = work.given(f.claimed("pm-1", seconds=10), Waited(11), f.claimed("pm-2"))
    taken.when(renewed(2, 200)).then_rejected("held by pm-2")
    taken.when(WorkReleased(claim=2, reason="done")).then_rejected("held by pm-2")
    taken.when(WorkReleased(claim=3, reason="done")).then(claim=None)


def test_released_work_is_free_at_once() -> None:
    work.given(f.claimed("pm-1"), WorkReleased(claim=2, reason="stopping")).when(f.claimed("pm-2")).then()


tokens = st.integers(2, 12)
steps = st.lists(
    st.one_of(
        st.builds(f.claimed, st.sampled_from(["a", "b", "c"]), seconds=st.integers(1, 300)),
        st.builds(renewed, tokens, st.integers(1, 300)),
        st.builds(WorkReleased, claim=tokens, reason=st.just("stop")),
        st.builds(Waited, st.integers(1, 60)),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_no_two_hold_the_work_at_once(asked: list[Fact | Waited]) -> None:
    story, holders = work, []
    for step in asked:
        running = story.state.claim is not None and story.now < story.state.claim.lease_until
        token = story.state.claim.token if running else None
        try:
            story = story.given(step)
        except Rejected:
            continue
        if isinstance(step, WorkReleased | WorkRenewed):
            assert step.claim == token
        elif not isinstance(step, Waited):
            assert not running
            holders.append(story.state.claim.token)
    assert holders == sorted(set(holders))
    assert story.replayed() == story.state
