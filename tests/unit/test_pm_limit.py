"""A limit bounds what one scan takes up: what is not finished, whether it stood before or was found now."""

from dataclasses import replace

import pytest

from events.improvement import IMPROVEMENT, Improvement
from schemas.improvement import Status
from services.pm.policy import taken_up
from tests import projection_facts as f
from tests.rules import of

S = Status
FOUND: Improvement = of(IMPROVEMENT).given(f.discovered()).state
ENDED = (S.DEPLOYMENT_COMPLETE, S.PARTLY_LANDED, S.ABANDONED, S.DECLINED, S.ROLLED_BACK)


def known(rank: int, status: Status = S.TESTING_COMPLETE) -> Improvement:
    return replace(FOUND, status=status, rank=rank)


def test_without_a_limit_everything_is_taken_up_in_order() -> None:
    assert taken_up(("a", "b", "c"), {"b": known(2)}, 0) == ("a", "b", "c")


def test_what_an_earlier_run_proved_takes_a_place_like_what_is_new() -> None:
    earlier = {"a": known(1), "b": known(2), "c": known(3)}
    assert taken_up(("a", "b", "c", "d"), earlier, 2) == ("a", "b")
    assert taken_up(("a", "b", "c", "d", "e"), earlier, 4) == ("a", "b", "c", "d")


@pytest.mark.parametrize("status", ENDED)
def test_what_ended_takes_no_place(status: Status) -> None:
    assert taken_up(("a", "b", "c"), {"a": known(1, status)}, 1) == ("a", "b")


def test_the_rank_a_person_gave_decides_who_gets_the_place() -> None:
    assert taken_up(("a", "b", "c"), {"c": known(1)}, 1) == ("c",)
