"""What benchmarks tell, and how two of them are compared."""

import json

import pytest

from tests.benchmarks.measuring.compare import movements
from tests.benchmarks.measuring.line import at_most, beside


def kept(name: str, value: float, ratio: float | None = None) -> str:
    return json.dumps({"name": name, "value": value, "ratio": ratio})


def test_a_line_holds_medians_and_their_ratio() -> None:
    line = beside("x", "ms", [3.0, 1.0, 2.0], "peer", [4.0, 4.0, 100.0])
    assert (line.value, line.peer_value, line.ratio) == (2.0, 4.0, 0.5)


@pytest.mark.parametrize(("share", "within"), [(0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_share_of_the_times_stays_within(share: float, within: float) -> None:
    assert at_most(share, [float(n) for n in range(1, 101)]) == within


def test_the_newest_figure_is_compared_with_the_one_before() -> None:
    lines = [kept("a", 1), kept("b", 5), kept("a", 2), kept("a", 3)]
    assert movements(lines) == {"a": (2, 3)}


def test_where_there_is_a_peer_ratios_are_compared() -> None:
    assert movements([kept("a", 100, 2.0), kept("a", 10, 2.2)]) == {"a": (2.0, 2.2)}
