"""The rules of agents from outside: who they are, how much they hold, what their deliveries are worth."""

import pytest

from events.agent import AGENT, Left, Progressed, Registered, WorkTaken
from events.fact import Fact, Rejected
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ArchitectureDesigned, ChangeDelivered, DeliveryRefused
from events.lease import WorkClaimed
from schemas.improvement import Status
from services.developer.policy import Abandon, Implement, TakeOver, whenever
from services.steering.outside import claim_of, name_of, why_closed
from tests import projection_facts as f
from tests.projection_facts import START
from tests.rules import Story, of

agent, improvement = of(AGENT), of(IMPROVEMENT)
REGISTERED = Registered(title="a hand", role="developer", capabilities=("python",), capacity=2)
LEFT = Left(reason="enough")
REFUSED = DeliveryRefused(agent="outside/a", reason="the patch does not apply")


def taken(*holding: str) -> WorkTaken:
    return WorkTaken(improvement=holding[-1], holding=holding)


def delivered(claim: int) -> ChangeDelivered:
    patch = f.implemented(1).patch
    return ChangeDelivered(
        claim=claim, agent="outside/a", patch=patch, summary="s", proofs={"b": ("t.py::t",)}
    )


def designed(by: str = "outside/a") -> Story:
    asked = f.discovered().model_copy(update={"source": "request"})
    return improvement.given(
        asked, f.claimed(), f.specified(2), f.claimed(), f.designed(4), f.claimed(by, "implementation")
    )


def test_an_agent_registers_once_and_anew_after_it_left() -> None:
    agent.given(REGISTERED).when(REGISTERED).then_rejected("registered already")
    agent.given(REGISTERED, LEFT).when(REGISTERED).then(registered=REGISTERED, left=None)


@pytest.mark.parametrize("fact", [taken("a"), LEFT, Progressed(improvement="a", claim=1, percent=1, note="")])
def test_who_is_not_registered_does_nothing(fact: Fact) -> None:
    agent.when(fact).then_rejected("not registered")
    agent.given(REGISTERED, LEFT).when(fact).then_rejected("not registered")


def test_an_agent_holds_no_more_than_it_said() -> None:
    agent.given(REGISTERED).when(taken("a", "b")).then(holding=("a", "b"))
    agent.given(REGISTERED).when(taken("a", "b", "c")).then_rejected("holds as much as it said it can: 2")


def test_a_delivery_needs_the_claim_ends_it_and_changes_no_status() -> None:
    designed().when(delivered(5)).then_rejected("not the running one")
    designed().when(delivered(6)).then(
        status=Status.ARCHITECTURE_COMPLETE, claim=None, delivered=delivered(6), change=None
    )


def test_one_delivery_is_looked_at_before_the_next() -> None:
    waiting = designed().given(delivered(6), f.claimed("outside/b", "implementation"))
    waiting.when(delivered(8)).then_rejected("is being looked at")
    waiting.given(REFUSED).when(delivered(8)).then(delivered=delivered(8))


def test_only_a_delivery_is_refused_as_one() -> None:
    designed().when(REFUSED).then_rejected("nothing came")


def test_what_was_delivered_is_over_once_it_is_a_change() -> None:
    designed().given(delivered(6), f.claimed("developer-1", "change")).when(f.implemented(8)).then(
        delivered=None
    )


def at_policy(state: Improvement) -> object:
    return whenever("imp-1", delivered(6), state)


def test_the_developer_takes_a_delivery_over_and_else_writes_itself() -> None:
    waiting = designed().given(delivered(6))
    assert at_policy(waiting.state) == TakeOver("imp-1")
    assert whenever("imp-1", _design(), waiting.state) == TakeOver("imp-1")
    assert at_policy(waiting.given(REFUSED).state) == Implement("imp-1")


def test_no_delivery_is_taken_over_after_the_last_attempt() -> None:
    gone = f.refuted().model_copy(update={"nothing_left": True})
    state = designed().given(delivered(6)).state
    assert at_policy(type(state)(**{**vars(state), "refusals": (gone,)})) == Abandon("imp-1", gone.reason)


def _design() -> ArchitectureDesigned:
    return f.designed(4)


def test_work_is_open_while_nobody_holds_it_and_nothing_was_delivered() -> None:
    story = designed()
    assert "outside/a has claimed it" in why_closed(story.state, story.now)
    claim = story.state.claim
    assert claim is not None
    assert why_closed(story.state, claim.lease_until) == ""
    assert "being looked at" in why_closed(story.given(delivered(6)).state, story.now)
    assert "asked for in words" in why_closed(improvement.given(f.discovered()).state, START)


def test_another_agents_claim_is_no_claim_of_ours() -> None:
    story = designed()
    assert claim_of(story.state, "a", 6, story.now).agent == name_of("a")
    for who, token in (("b", 6), ("a", 5)):
        with pytest.raises(Rejected):
            claim_of(story.state, who, token, story.now)
    assert isinstance(story.told[-1][0], WorkClaimed)
