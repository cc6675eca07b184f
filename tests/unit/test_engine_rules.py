"""An engine has so many places, and is left alone while it ails: for whoever calls it, from any process."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.engine import ENGINE, Ailing, CallBegun, CallEnded, CircuitOpened, EngineFact, Full
from events.fact import Rejected
from schemas.engine import FailureKind
from tests.projection_facts import START
from tests.rules import Waited, of

LEASE, WAIT = 60, 30
AILS = FailureKind.OVERLOADED
engine = of(ENGINE)


def begun(run: str = "r1", places: int = 2) -> CallBegun:
    return CallBegun(run=run, places=places, lease_until=START + timedelta(seconds=10 * LEASE))


def failed(run: str = "r1", failure: FailureKind | None = AILS) -> CallEnded:
    return CallEnded(run=run, failure=failure)


def opened(failures: int = 1) -> CircuitOpened:
    return CircuitOpened(failures=failures, failure=AILS, until=START + timedelta(seconds=WAIT))


ailing = engine.given(begun(), failed(), opened())


def test_no_more_calls_begin_than_there_are_places() -> None:
    full = engine.given(begun("r1"), begun("r2"))
    full.when(begun("r3")).then_rejected("under way: 2, allowed at once: 2")
    with pytest.raises(Full):
        full.given(begun("r3"))
    full.given(CallEnded(run="r1")).given(begun("r3"))


def test_each_caller_is_held_to_its_own_number_of_places() -> None:
    engine.given(begun("r1"), begun("r2", 3), begun("r3", 3)).when(begun("r4", 2)).then_rejected(
        "under way: 3, allowed at once: 2"
    )


def test_a_call_ends_once() -> None:
    engine.given(begun(), CallEnded(run="r1")).when(CallEnded(run="r1")).then_rejected(
        "no call r1 is under way"
    )
    engine.given(begun()).when(begun()).then_rejected("under way already")


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (CallBegun(run="r1", places=0, lease_until=START + timedelta(seconds=1)), "at least one place"),
        (CallBegun(run="r1", places=1, lease_until=START), "a lease must end in the future"),
        (opened(), "0 failures in a row are known"),
    ],
)
def test_what_makes_no_sense_is_refused(fact: EngineFact, said: str) -> None:
    engine.when(fact).then_rejected(said)


def test_a_call_whose_lease_ran_out_is_overdue() -> None:
    story = engine.given(begun(), Waited(10 * LEASE))
    assert [one.run for one in story.state.overdue(story.now)] == ["r1"]
    assert story.state.overdue(START) == ()


def test_an_ailing_engine_is_left_alone_and_it_is_said_until_when_and_why() -> None:
    ailing.when(begun("r2")).then_rejected(
        "before 12:00:30 UTC, after 1 failure in a row, the last: overloaded"
    )
    with pytest.raises(Ailing) as left:
        ailing.given(begun("r2"))
    assert left.value.failure is AILS


def test_then_one_call_looks_and_the_others_wait_for_it() -> None:
    looking = ailing.given(Waited(WAIT), begun("r2"))
    looking.when(begun("r3")).then_rejected("r2 looks whether it is well")
    looking.given(CallEnded(run="r2"), begun("r3"), begun("r4"))
    looking.given(failed("r2", FailureKind.KILLED), begun("r3")).when(begun("r4")).then_rejected("r3 looks")


def test_a_call_of_before_that_is_answered_closes_the_circuit() -> None:
    engine.given(begun("r1"), begun("r2"), failed("r1"), opened(), CallEnded(run="r2"), begun("r3"))


FACTS = st.one_of(
    st.builds(begun, st.sampled_from(["r1", "r2", "r3", "r4"])),
    st.builds(failed, st.sampled_from(["r1", "r2", "r3", "r4"]), st.sampled_from([None, *FailureKind])),
    st.builds(opened, st.integers(1, 3)),
    st.builds(Waited, st.integers(1, 2 * WAIT)),
)


@given(st.lists(FACTS, max_size=30))
def test_whatever_is_tried_the_places_are_never_exceeded_and_replay_agrees(
    steps: list[EngineFact | Waited],
) -> None:
    story = engine
    for step in steps:
        try:
            story = story.given(step)
        except Rejected:
            continue
        assert len(story.state.calls) <= 2
    assert story.replayed() == story.state
