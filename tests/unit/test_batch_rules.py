"""A batch is formed, searched by one holder at a time, settled once and closed once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.batch import BATCH, Closed, Settled, Split
from events.fact import Fact, Rejected
from events.lease import WorkReleased
from tests import projection_facts as f
from tests.rules import Waited, of

batch = of(BATCH)
formed = batch.given(f.formed("imp-1", "imp-2"))
searching = formed.given(f.claimed("qa-1", "trial"))


def settled(claim: int = 2) -> Settled:
    return Settled(claim=claim, tree="e" * 40, kept=("imp-1",), smaller={}, refused={"imp-2": "breaks"})


def closed(claim: int = 2) -> Closed:
    return Closed(claim=claim, tip="f" * 40, tree="e" * 40, landed=("imp-1",), suite_runs=1)


def split(claim: int = 2) -> Split:
    return Split(claim=claim, improvement="imp-2", kind="file", parts=2, reason="the suite fails with it")


def test_a_batch_is_formed_once() -> None:
    formed.when(f.formed("imp-3")).then_rejected("formed already")


def test_nothing_is_tested_that_is_not_formed() -> None:
    batch.when(f.tested()).then_rejected("no such batch")


def test_only_the_holder_tests() -> None:
    formed.when(f.tested()).then_rejected("held by nobody")
    searching.given(Waited(60)).when(f.tested()).then_rejected("ran out")
    taken_over = searching.given(Waited(60), f.claimed("qa-2", "trial", seconds=120))
    taken_over.when(f.tested(claim=2)).then_rejected("held by qa-2")
    taken_over.when(f.tested(claim=3)).then()


def test_a_run_is_known_by_its_tree_and_by_whose_tests_ran() -> None:
    original = f.tested(passed=False).model_copy(update={"original_tests": True})
    runs = searching.given(f.tested(), original).state.runs
    assert {key: run.passed for key, run in runs.items()} == {
        ("e" * 40, False): True,
        ("e" * 40, True): False,
    }


def test_a_search_says_what_it_splits_and_settles_once() -> None:
    done = searching.given(split()).when(settled()).then(splits=(split(),), claim=None)
    again = done.given(f.claimed("qa-2", "verdicts"))
    again.when(settled(5)).then_rejected("settled already")


def test_a_closed_batch_takes_nothing_more() -> None:
    over = searching.given(settled(), f.claimed("qa-1", "verdicts")).when(closed(4)).then(claim=None)
    over.when(f.tested(claim=4)).then_rejected("the batch is closed")
    over.when(closed(4)).then_rejected("the batch is closed")


tokens = st.integers(2, 12)
asks = st.lists(
    st.one_of(
        st.just(f.formed("imp-1")),
        st.builds(f.claimed, st.sampled_from(["qa-1", "qa-2"]), seconds=st.integers(1, 200)),
        st.builds(lambda claim, passed: f.tested(passed, claim), tokens, st.booleans()),
        st.builds(split, tokens),
        st.builds(settled, tokens),
        st.builds(closed, tokens),
        st.builds(WorkReleased, claim=tokens, reason=st.just("stop")),
        st.builds(Waited, st.integers(1, 90)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(asks)
def test_no_sequence_of_facts_settles_or_closes_twice(steps: list[Fact | Waited]) -> None:
    story = formed
    for step in steps:
        try:
            story = story.given(step)
        except Rejected:
            continue
    told = [type(fact) for fact, _ in story.told]
    assert told.count(Settled) <= 1
    assert told.count(Closed) <= 1
    if Closed in told:
        assert not {f.tested().__class__, Split, Settled} & set(told[told.index(Closed) :])
    assert story.replayed() == story.state


@pytest.mark.parametrize("settled_", [True, False])
def test_replay_after_json_gives_the_same_state(settled_: bool) -> None:
    story = searching.given(f.tested(), split(), *((settled(),) if settled_ else ()))
    assert story.replayed() == story.state
