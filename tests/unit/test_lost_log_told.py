"""How many events a shortened log lost is told in right words, with the cure that fits."""

import pytest

from projections.projector import LogBehindCheckpoint
from services.runtime.lost_log import Known


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            Known(views=5, signed=4),
            "the log ends at 4, the views are at 5, heads are signed up to 4: 1 event is",
        ),
        (Known(views=7, signed=4), ": 3 events are gone from the log. The journal still has what is gone"),
        (Known(signed=5), ": 1 event is gone from the log. The journal does not have what is gone"),
        (Known(own=6), "this program appended 6: 2 events are gone from the log. The journal does not have"),
    ],
)
def test_a_log_that_ends_too_early_is_told_with_what_is_gone(known: Known, said: str) -> None:
    with pytest.raises(LogBehindCheckpoint) as problem:
        known.require(4, "ends at 4")
    assert said in str(problem.value)


def test_a_log_that_reaches_what_is_known_is_well() -> None:
    Known(views=4, signed=2, own=4).require(4, "ends at 4")
