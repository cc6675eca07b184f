"""Measurements from outside: which are taken, and what they come to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.gateway.metering.custom import MOST_AT_ONCE, Kept, Measurement, Sent, out_of_time
from services.gateway.metering.tally import Series, Tallies, Tally, by_series, tallied, together

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE: dict[str, Any] = {"name": "build_seconds", "value": 12}


def sent(given: object) -> Sent:
    return Sent.model_validate_json(orjson.dumps(given))


def kept(*values: int | str, at: datetime = NOON, **other: Any) -> Kept:
    made = tuple(Measurement(name="build_seconds", value=value, **other) for value in values)
    return Kept(at=at, by="t", measurements=made)


def test_one_and_several_are_both_taken() -> None:
    assert len(sent(ONE).measurements) == 1
    assert len(sent({"measurements": [ONE, ONE]}).measurements) == 2


@pytest.mark.parametrize("value", [0, -3, 10**18, "0.25", "-7", "123456789012345678.123456789"])
def test_a_value_is_whole_or_decimal_text_and_kept_exactly(value: int | str) -> None:
    (one,) = sent({**ONE, "value": value}).measurements
    assert one.number == Decimal(str(value))


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": float("nan")},
        {"value": 1.5},
        {"value": True},
        {"value": None},
        {"value": "NaN"},
        {"value": "Infinity"},
        {"value": "1e3"},
        {"value": "1.0\n"},
        {"value": ""},
        {"value": 10**18 + 1},
        {"value": [1]},
        {"name": "Build Seconds"},
        {"name": ""},
        {"name": "a" * 61},
        {"unit": "s econds"},
        {"labels": {f"l{n}": "x" for n in range(11)}},
        {"labels": {"unit": "s"}},
        {"labels": {"__name__": "s"}},
        {"labels": {"a-b": "s"}},
        {"labels": {"a": ""}},
        {"labels": {"a": "x" * 121}},
        {"labels": {"a": "x\x1b[2J"}},
        {"labels": {"a": "x\u202ey"}},
        {"labels": {"a": 1}},
        {"labels": ["a"]},
        {"time": "2026-03-01T12:00:00"},
        {"time": "yesterday"},
        {"colour": "red"},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    for body in ({**ONE, **wrong}, {"measurements": [ONE, {**ONE, **wrong}]}):
        with pytest.raises(ValidationError):
            sent(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"measurements": []},
        {"measurements": [ONE] * (MOST_AT_ONCE + 1)},
        {"measurements": [ONE], **ONE},
        {"measurements": ONE},
        [],
        "x",
        {},
    ],
)
def test_a_batch_is_neither_empty_nor_huge(wrong: object) -> None:
    with pytest.raises(ValidationError):
        sent(wrong)


def test_a_time_far_off_is_told_with_its_place() -> None:
    times = [NOON, NOON - timedelta(days=31), NOON + timedelta(minutes=6), NOON - timedelta(days=29)]
    measurements = tuple(Measurement(name="a", value=1, time=time) for time in times)
    told = out_of_time(measurements, NOON)
    assert [one.partition(":")[0] for one in told] == ["measurements.1.time", "measurements.2.time"]


def test_values_of_one_minute_come_together() -> None:
    found = tallied([kept(3, "0.5"), kept(-1, at=NOON + timedelta(seconds=59))])
    ((key, tally),) = found.items()
    assert key == (Series("build_seconds", "", ()), NOON)
    assert tally == Tally(
        count=3,
        sum=Decimal("2.5"),
        least=Decimal(-1),
        greatest=Decimal(3),
        last=Decimal(-1),
        last_at=NOON + timedelta(seconds=59),
    )


def test_another_minute_label_or_unit_is_another_tally() -> None:
    found = tallied(
        [
            kept(1),
            kept(1, at=NOON + timedelta(minutes=1)),
            kept(1, unit="s"),
            kept(1, labels={"b": "2", "a": "1"}),
            kept(1, labels={"a": "1", "b": "2"}),
        ]
    )
    assert sorted(tally.count for tally in found.values()) == [1, 1, 1, 2]
    assert len(by_series(found)) == 3


def test_the_last_value_is_that_of_the_latest_time_whenever_it_came() -> None:
    late = kept(1, time=NOON - timedelta(seconds=20))
    assert [one.last for one in by_series(tallied([kept(2), late])).values()] == [2]


values = st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=20)


@given(values, st.integers(0, 20))
def test_tallies_of_parts_together_are_the_tally_of_all(numbers: list[int], cut: int) -> None:
    whole = _only(tallied([kept(*numbers)]))
    if 0 < cut < len(numbers):
        parts = _only(tallied([kept(*numbers[:cut])])), _only(tallied([kept(*numbers[cut:])]))
        assert together(*parts) == whole
    assert (whole.count, whole.sum) == (len(numbers), sum(numbers))


def _only(found: Tallies) -> Any:
    (tally,) = found.values()
    return tally
