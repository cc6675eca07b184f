"""A budget is never promised twice: what is reserved and spent stays within the limit."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.budget import (
    BUDGET,
    Budget,
    BudgetFact,
    Committed,
    Exhausted,
    Opened,
    OverLimit,
    Released,
    Reserved,
    dollars,
)
from events.fact import Rejected, Stamp
from tests.projection_facts import START
from tests.rules import Waited, of

LEASE = 60
budget = of(BUDGET)
opened = budget.given(Opened(limit_micros=100, limit_runs=3))


def reserved(run: str = "r1", micros: int = 40, seconds: int = LEASE) -> Reserved:
    return Reserved(run=run, micros=micros, lease_until=START + timedelta(seconds=seconds))


def test_nothing_is_reserved_from_what_was_not_opened() -> None:
    budget.when(reserved()).then_rejected("not opened")


def test_what_is_reserved_is_gone_for_everybody_else() -> None:
    twice = opened.given(reserved("r1"), reserved("r2"))
    assert twice.state.left_micros == 20
    twice.when(reserved("r3", 21)).then_rejected(r"\$0\.000021 are asked for and \$0\.00002 are left")
    twice.when(reserved("r3", 20)).then(left_micros=0)


def test_calls_are_counted_even_where_they_cost_nothing() -> None:
    free = opened.given(
        reserved("r1", 0), reserved("r2", 0), Committed(run="r1", micros=0), reserved("r3", 0)
    )
    free.when(reserved("r4", 0)).then_rejected("3 runs are allowed: 1 are done, 2 under way")


def test_a_limit_of_nothing_allows_nothing() -> None:
    budget.given(Opened(limit_micros=0, limit_runs=5)).when(reserved(micros=1)).then_rejected("are left")
    budget.given(Opened(limit_micros=9, limit_runs=0)).when(reserved(micros=0)).then_rejected("0 runs")


def test_a_refusal_by_the_limit_is_told_apart_from_any_other() -> None:
    with pytest.raises(OverLimit):
        opened.given(reserved(micros=101))
    with pytest.raises(Rejected) as other:
        opened.given(reserved("r1"), reserved("r1"))
    assert not isinstance(other.value, OverLimit)


def test_what_was_not_spent_can_be_spent_by_the_next() -> None:
    opened.given(reserved("r1", 100), Committed(run="r1", micros=30)).when(reserved("r2", 70)).then(
        committed_micros=30, reserved_micros=70, left_micros=0
    )


def test_what_is_released_counts_for_nothing() -> None:
    after = opened.given(reserved("r1", 100), Released(run="r1", reason="the engine was not there"))
    assert (after.state.left_micros, after.state.left_runs) == (100, 3)
    after.when(Committed(run="r1", micros=1)).then_rejected("nothing is reserved for r1")
    after.when(Released(run="r1", reason="again")).then_rejected("nothing is reserved for r1")


def test_what_was_spent_beyond_the_reservation_is_told_and_missing_later() -> None:
    held = opened.given(reserved("r1", 60))
    held.when(Committed(run="r1", micros=61)).then_rejected("more than was reserved")
    after = held.given(Committed(run="r1", micros=60, over_micros=30))
    assert (after.state.committed_micros, after.state.left_micros) == (60, 10)
    after.when(reserved("r2", 11)).then_rejected("are left")


def test_a_holder_that_was_taken_for_dead_still_tells_what_it_spent() -> None:
    late = opened.given(reserved("r1", 60), Waited(LEASE))
    assert [one.run for one in late.state.overdue(late.now)] == ["r1"]
    after = late.given(Released(run="r1", reason="not heard of again"), reserved("r2", 100, 2 * LEASE))
    back = after.given(Committed(run="r1", micros=0, over_micros=50))
    assert (back.state.left_micros, back.state.runs, back.state.lapsed) == (-50, 1, ())
    after.when(Committed(run="r1", micros=1)).then_rejected("more than was reserved")


def test_a_run_reserves_once() -> None:
    opened.given(reserved()).when(reserved()).then_rejected("reserved already")
    opened.given(reserved(), Waited(LEASE), Released(run="r1", reason="late")).when(
        reserved(seconds=2 * LEASE)
    ).then_rejected("reserved already")


def test_nothing_is_reserved_after_the_end() -> None:
    ended = budget.given(Opened(limit_micros=9, limit_runs=9, until=START + timedelta(seconds=5)), Waited(5))
    ended.when(reserved(micros=1)).then_rejected("the budget ended at")
    opened.given(Waited(LEASE)).when(reserved()).then_rejected("a lease must end in the future")


def test_amounts_below_nothing_are_refused() -> None:
    for wrong in (reserved(micros=-1), Opened(limit_micros=-1, limit_runs=1)):
        opened.when(wrong).then_rejected("below nothing")
    opened.given(reserved()).when(Committed(run="r1", micros=0, over_micros=-1)).then_rejected(
        "below nothing"
    )


def test_that_it_is_exhausted_is_said_once_until_what_was_asked_for_fits() -> None:
    said = opened.given(reserved("r1", 100), Exhausted(asked_micros=5, reason="none left"))
    said.when(Exhausted(asked_micros=6, reason="none left")).then_rejected("known")
    assert said.given(Committed(run="r1", micros=96)).state.exhausted is not None
    assert said.given(Committed(run="r1", micros=95)).state.exhausted is None
    said.given(Released(run="r1", reason="failed")).when(
        Exhausted(asked_micros=500, reason="not enough")
    ).then()


def test_a_lower_limit_takes_nothing_back_and_admits_nothing_more() -> None:
    lowered = opened.given(reserved("r1", 60), Opened(limit_micros=50, limit_runs=3))
    assert lowered.state.left_micros == -10
    lowered.when(reserved("r2", 0)).then_rejected("are left")
    lowered.given(Opened(limit_micros=200, limit_runs=3)).when(reserved("r2", 140)).then(left_micros=0)


def test_replay_after_json_gives_the_same_state() -> None:
    story = opened.given(reserved("r1"), reserved("r2"), Committed(run="r1", micros=1), Waited(LEASE)).given(
        Released(run="r2", reason="late"), Exhausted(asked_micros=99, reason="none left")
    )
    assert story.replayed() == story.state


def test_amounts_are_written_as_people_write_them() -> None:
    told = {0: "$0.00", 5_000_000: "$5.00", 4_200: "$0.0042", 1: "$0.000001", 12_345_678: "$12.345678"}
    assert {amount: dollars(amount) for amount in told} == told


RUNS = st.sampled_from(["r1", "r2", "r3", "r4"])
MICROS = st.integers(-1, 120)
FACTS: st.SearchStrategy[BudgetFact] = st.one_of(
    st.builds(reserved, RUNS, MICROS, st.integers(-5, 200)),
    st.builds(Committed, run=RUNS, micros=MICROS, over_micros=MICROS),
    st.builds(Released, run=RUNS, reason=st.just("a reason")),
    st.builds(Exhausted, asked_micros=MICROS, reason=st.just("none left")),
)


@given(
    limit=st.integers(0, 150),
    runs=st.integers(0, 5),
    asked=st.lists(st.tuples(st.integers(0, 40), FACTS), max_size=40),
)
def test_reserved_and_committed_never_exceed_the_limit(
    limit: int, runs: int, asked: list[tuple[int, BudgetFact]]
) -> None:
    now, state = START, Budget(opened=Opened(limit_micros=limit, limit_runs=runs))
    spent = 0
    for version, (seconds, fact) in enumerate(asked, start=1):
        now += timedelta(seconds=seconds)
        try:
            BUDGET.decide(state, fact, now)
        except Rejected:
            continue
        state = BUDGET.evolve(state, fact, Stamp(version, now, "qa"))
        if isinstance(fact, Committed):
            spent += fact.micros + fact.over_micros
        assert state.reserved_micros + state.committed_micros <= limit
        assert len(state.reserved) <= runs
        assert spent == state.committed_micros + state.over_micros
