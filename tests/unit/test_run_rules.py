"""A run is requested, begins, and ends once."""

import pytest

from events.fact import Fact
from events.run import RUN, Cancelled, Failed, Reused, Started
from tests import projection_facts as f
from tests.rules import of

run = of(RUN)
requested = run.given(f.run_requested())
started = requested.given(Started())
FAILED = Failed(duration_ms=5, reason="no answer")


def test_it_is_requested_once() -> None:
    requested.when(f.run_requested()).then_rejected("requested already")


@pytest.mark.parametrize("fact", [Started(), f.run_completed(), Reused(run="r0")])
def test_nothing_happens_to_what_nobody_requested(fact: Fact) -> None:
    run.when(fact).then_rejected("no such run")


@pytest.mark.parametrize("end", [f.run_completed(), FAILED])
def test_only_what_began_comes_to_an_end(end: Fact) -> None:
    requested.when(end).then_rejected("has not started")
    started.when(end).then(ended=end)


@pytest.mark.parametrize("end", [Cancelled(reason="not wanted"), Reused(run="r0")])
def test_what_was_only_requested_can_be_cancelled_or_answered_from_before(end: Fact) -> None:
    requested.when(end).then(ended=end, started=False)


@pytest.mark.parametrize("end", [f.run_completed(), FAILED, Cancelled(reason="stop")])
def test_it_ends_once(end: Fact) -> None:
    started.given(end).when(f.run_completed()).then_rejected(f"the run is over: {end.name}")


def test_replay_after_json_gives_the_same_state() -> None:
    story = started.given(f.run_completed())
    assert story.replayed() == story.state
