"""The metrics page: charts of what the work came to and of what others measure, each with its table."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from aiohttp import web
from pydantic import Field

from projections.views.deployments import DeploymentRow
from schemas.access import Scope
from services.gateway.api.reading import seq_of
from services.gateway.http.lists import At
from services.gateway.http.route import LOOKING, Call, Route
from services.gateway.metering.charts import TONES, Chart, Kind, Line, Mark, in_unit_of_time
from services.gateway.metering.measures import OutcomeMeasures, begun
from services.gateway.metering.routes import measured_in_parts, spanned
from services.gateway.metering.spans import Range, Span
from services.gateway.pages.parts import withheld
from services.gateway.pages.rendering import page

MOST_MARKS = 50
Value = Callable[[OutcomeMeasures], float | None]


class Shown(At):
    """How far back, of which target, and which measurements from outside; empty is any, or none."""

    range: Range = Range.WEEK
    target: Annotated[str, Field(max_length=200)] = ""
    metric: Annotated[str, Field(max_length=60)] = ""


class Frame(NamedTuple):
    """What all charts of a page share."""

    span: Span
    parts: tuple[OutcomeMeasures, ...]
    marks: tuple[Mark, ...]

    def values(self, value: Value, without: float | None = None) -> tuple[float | None, ...]:
        """Return the value of each part of time; `without` where nothing happened at all."""
        found = {begun(one): one for one in self.parts}
        return tuple(value(found[start]) if start in found else without for start in self.span.parts)

    def chart(
        self, id: str, title: str, about: str, kind: Kind, unit: str, lines: Sequence[Line], empty: str = ""
    ) -> Chart:
        """Return a chart over the time of the page."""
        told = {"empty": empty} if empty else {}
        span = self.span
        return Chart(id, title, about, kind, unit, span.parts, span.until, tuple(lines), self.marks, **told)


async def measures(call: Call) -> web.StreamResponse:
    """Show the measures of a time."""
    asked: Shown = call.query
    seq, views = await seq_of(call), call.desk.views
    span = await spanned(call, seq, asked.range)
    whole, parts = await measured_in_parts(call, seq, span, asked.target)
    wants = withheld(call)
    known = () if wants["deployments"] else await views.deployments(asked.target or None, seq)
    moves = [row for row in known if span.since <= row.updated_at < span.until]
    frame = Frame(span, parts, tuple(_mark(row) for row in moves[-MOST_MARKS:]))
    series = await call.desk.metering.kept.series()
    return page(
        call,
        "measures.html",
        asked=asked,
        ranges=tuple(Range),
        targets=() if wants["choice"] else await views.targets(seq),
        names=sorted({one.name for one, _ in series}),
        span=span,
        whole=whole,
        charts=(*_charts(frame), *([await _custom(call, frame, asked.metric)] if asked.metric else ())),
        moves=moves[: -MOST_MARKS - 1 : -1],
    )


def _mark(row: DeploymentRow) -> Mark:
    return Mark(row.updated_at, f"{row.kind} {row.id} of {row.target}: {row.state.value}")


def _charts(frame: Frame) -> tuple[Chart, ...]:
    return _outcomes(frame), _rates(frame), _lead(frame), _restore(frame), _cost(frame), _suites(frame)


def _outcomes(frame: Frame) -> Chart:
    lines = (
        Line("landed", "good", frame.values(lambda one: one.landed, 0)),
        Line("declined or abandoned", "part", frame.values(lambda one: one.declined + one.abandoned, 0)),
        Line("taken back or failed", "bad", frame.values(lambda one: one.rolled_back + one.failed, 0)),
    )
    about = "How many improvements landed, ended without landing, or were taken back."
    return frame.chart("outcomes", "What came of the work", about, Kind.BARS, "", lines)


def _rates(frame: Frame) -> Chart:
    lines = (
        Line("acceptance", "good", frame.values(lambda one: _percent(one.acceptance))),
        Line("change failure", "bad", frame.values(lambda one: _percent(one.change_failure))),
    )
    about = (
        "Acceptance: landed among all that came to an end. Change failure: taken back or failed among all"
        " that was deployed."
    )
    empty = "No improvement came to an end in this time."
    return frame.chart("rates", "Acceptance and change-failure rate", about, Kind.LINES, "%", lines, empty)


def _lead(frame: Frame) -> Chart:
    about = "From an improvement's discovery to its landing: the median, and what nine of ten are within."
    return _durations(
        frame,
        "lead",
        "Lead time",
        about,
        (lambda one: one.lead_seconds_p50, lambda one: one.lead_seconds_p90),
        "No improvement landed in this time.",
    )


def _restore(frame: Frame) -> Chart:
    about = "From the moment that a change was to be taken back, or failed to deploy, until it was undone."
    return _durations(
        frame,
        "restore",
        "Time to restore",
        about,
        (lambda one: one.restore_seconds_p50, lambda one: one.restore_seconds_p90),
        "Nothing had to be taken back in this time.",
    )


def _durations(
    frame: Frame, id: str, title: str, about: str, values: tuple[Value, Value], empty: str
) -> Chart:
    found = [frame.values(value) for value in values]
    unit, seconds = in_unit_of_time(found)
    lines = [
        Line(name, tone, tuple(None if value is None else value / seconds for value in row))
        for (name, tone), row in zip((("median", "wait"), ("90th percentile", "part")), found, strict=True)
    ]
    return frame.chart(id, title, about, Kind.LINES, unit, lines, empty)


def _cost(frame: Frame) -> Chart:
    lines = (
        Line("paid", "wait", frame.values(lambda one: one.paid_dollars, 0)),
        Line("for each landed", "part", frame.values(lambda one: one.dollars_per_landed)),
    )
    about = "What engines were paid, all together and for each improvement that landed."
    empty = "Nothing was paid in this time: no engine with a price was called."
    return frame.chart("cost", "What engines cost", about, Kind.BARS, "$", lines, empty)


def _suites(frame: Frame) -> Chart:
    line = Line("suite runs", "wait", frame.values(lambda one: one.suite_runs, 0))
    about = "How often the test suite of a target was run, to know where it stands or to prove a change."
    return frame.chart("suites", "Suite runs", about, Kind.BARS, "", (line,))


async def _custom(call: Call, frame: Frame, name: str) -> Chart:
    """Return the chart of the series of a name: the mean of each part of time."""
    span = frame.span
    found: dict[tuple[str, str], dict[datetime, float]] = {}
    for part in await call.desk.metering.kept.parts(name, span.since, span.until, span.width):
        labels = ", ".join(f"{label}={value}" for label, value in part.series.labels) or "all"
        mean = float(part.tally.sum / part.tally.count)
        found.setdefault((labels, part.series.unit), {})[part.at] = mean
    units = {unit for _, unit in found}
    lines = [
        Line(
            labels if len(units) < 2 else f"{labels} ({unit or 'no unit'})",
            tone,
            tuple(values.get(start) for start in span.parts),
        )
        for ((labels, unit), values), tone in zip(found.items(), TONES, strict=False)
    ]
    more = len(found) - len(lines)
    about = f"The mean of what was sent.{f' {more} more series are not drawn.' if more else ''}"
    unit = units.pop() if len(units) == 1 else ""
    empty = "Nothing was sent under this name in this time."
    return frame.chart("custom", name, about, Kind.LINES, unit, lines, empty)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100


ROUTES = (Route("GET", "/ai/metrics", measures, LOOKING, Scope.METRICS, "Metrics", query=Shown, page=True),)
