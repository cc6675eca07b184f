"""How measures are told: spans of time, charts as data, the text of Prometheus."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.gateway.metering.charts import Chart, Kind, Line, Mark, in_unit_of_time, told
from services.gateway.metering.families import MEANING, exposition, family
from services.gateway.metering.spans import MOST_PARTS, Range, span_of

NOW = datetime(2026, 3, 5, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize("wanted", Range)
@pytest.mark.parametrize("days", [0, 1, 40, 4000])
def test_a_span_has_few_whole_parts_and_ends_with_now(wanted: Range, days: int) -> None:
    span = span_of(wanted, NOW, NOW - timedelta(days=days))
    assert 1 <= len(span.parts) <= MOST_PARTS + 1
    assert span.parts[-1] <= NOW < span.until <= span.parts[-1] + span.width
    assert span.since <= NOW - timedelta(days=days if wanted is Range.ALL else 0)


def test_parts_begin_where_the_clock_does() -> None:
    assert span_of(Range.DAY, NOW, None).parts[-1] == NOW.replace(minute=0, second=0)
    assert span_of(Range.MONTH, NOW, None).parts[-1].hour == 0


def chart(kind: Kind, *values: float | None, marks: tuple[Mark, ...] = ()) -> Chart:
    starts = tuple(NOW + timedelta(hours=place) for place in range(len(values)))
    until = NOW + timedelta(hours=len(values))
    return Chart("c", "C", "about", kind, "", starts, until, (Line("landed", "good", tuple(values)),), marks)


def test_bars_stand_on_zero_and_the_greatest_is_highest() -> None:
    low, high = chart(Kind.BARS, 1, 0, 4).bars
    assert low.y + low.height == high.y + high.height
    assert high.height == pytest.approx(4 * low.height, abs=0.2)
    assert high.title == "landed from 03-05 14:34: 4"


def test_a_gap_ends_a_stroke_and_a_lone_point_is_a_dot() -> None:
    drawn = chart(Kind.LINES, 1, 2, None, 3, None)
    assert len(drawn.dots) == 3
    assert [len(points.split()) for _, points in drawn.strokes] == [2]


def test_values_below_zero_have_room() -> None:
    drawn = chart(Kind.LINES, -3, 5)
    assert drawn.scale == (-5, 5)
    assert drawn.dots[0].y > drawn.y(0) > drawn.dots[1].y


def test_marks_outside_the_time_are_left_out() -> None:
    marks = (Mark(NOW + timedelta(minutes=30), "in"), Mark(NOW - timedelta(minutes=1), "out"))
    assert [mark.text for mark in chart(Kind.BARS, 1, 2, marks=marks).marked] == ["in"]


@pytest.mark.parametrize(
    ("kind", "values", "empty"),
    [(Kind.BARS, (0, 0), True), (Kind.LINES, (None, None), True), (Kind.LINES, (0, None), False)],
)
def test_a_rate_of_zero_is_something_and_a_count_of_zero_is_not(
    kind: Kind, values: tuple[float | None, ...], empty: bool
) -> None:
    drawn = chart(kind, *values)
    assert drawn.is_empty is empty
    assert (drawn.rows == ()) is empty


def test_the_table_says_what_is_drawn() -> None:
    assert [row for _, row in chart(Kind.BARS, 1, 0, 4).rows] == [("1",), ("4",)]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "-"),
        (2.5, "$", "$2.50"),
        (66.6, "%", "67 %"),
        (1234.5, "", "1,234"),
        (0.1234, "s", "0.123 s"),
    ],
)
def test_numbers_read_well(value: float | None, unit: str, text: str) -> None:
    assert told(value, unit) == text


@pytest.mark.parametrize(("seconds", "unit"), [(90, "s"), (600, "min"), (9000, "h"), (900_000, "d")])
def test_durations_have_the_unit_that_fits(seconds: float, unit: str) -> None:
    assert in_unit_of_time([(None, seconds)])[0] == unit


def test_prometheus_reads_back_what_is_told() -> None:
    families = [
        family("aps_log_head", [({}, 7)]),
        family("aps_http_requests", [({"route": "/", "status": "200"}, 3)]),
        family("aps_acceptance_ratio", [({"target": 'a"b\\c\nd'}, None), ({"target": 'a"b\\c\nd'}, 0.5)]),
    ]
    found = {
        sample.name: (sample.labels, sample.value)
        for one in text_string_to_metric_families(exposition(families).decode())
        for sample in one.samples
    }
    assert found == {
        "aps_log_head": ({}, 7),
        "aps_http_requests_total": ({"route": "/", "status": "200"}, 3),
        "aps_acceptance_ratio": ({"target": 'a"b\\c\nd'}, 0.5),
    }


def test_every_name_has_a_meaning_and_the_prefix() -> None:
    assert all(name.startswith("aps_") and meaning for name, (_, meaning) in MEANING.items())
    assert not [name for name in MEANING if name.endswith("_total")]


def test_the_documentation_names_every_measure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    told_as = {f"`{name}{'_total' if kind == 'counter' else ''}`" for name, (kind, _) in MEANING.items()}
    assert {one for one in told_as if one not in page} == set()
