"""Charts as data: what is drawn where, so that a template only writes it down. Pure.

A chart has the same parts of time for all its lines. A value of None is a gap: nothing was there to measure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 10, 26
STEPS = (1, 2, 2.5, 5, 10)
TONES = ("good", "wait", "part", "bad", "soft", "ink")  # what the style sheet has a colour for


class Kind(StrEnum):
    """Counts of a part of time are bars, values that go on are lines."""

    BARS = "bars"
    LINES = "lines"


@dataclass(frozen=True)
class Line:
    """The values of one name, a part of time each."""

    name: str
    tone: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Mark:
    """Something that happened, to be seen beside the values."""

    time: datetime
    title: str


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it says."""

    x: float
    y: float
    width: float
    height: float
    tone: str
    title: str


@dataclass(frozen=True)
class Dot:
    """A point of a line, and what it says."""

    x: float
    y: float
    tone: str
    title: str


@dataclass(frozen=True)
class Label:
    """A text beside an axis, at a distance from its begin."""

    place: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One chart. `unit` follows each number; `starts` are the begins of the parts, `until` the end of all."""

    id: str
    title: str
    about: str
    kind: Kind
    unit: str
    starts: tuple[datetime, ...]
    until: datetime
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    empty: str = "Nothing of this happened in this time."

    @cached_property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(value for line in self.lines for value in line.values if value is not None) and not (
            self.kind is Kind.LINES and any(v is not None for line in self.lines for v in line.values)
        )

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The least and the greatest value that is drawn, zero among them."""
        values = [value for line in self.lines for value in line.values if value is not None]
        return 0.0 - _round(-min(0.0, *values)), _round(max(0.0, *values)) or 1.0

    def x(self, time: datetime) -> float:
        """Return where a time stands."""
        whole = self.until - self.starts[0]
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((time - self.starts[0]) / whole), 1)

    def y(self, value: float) -> float:
        """Return where a value stands."""
        least, greatest = self.scale
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - least) / (greatest - least)), 1)

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The bars of a chart of bars, beside each other."""
        found = []
        for place, start in enumerate(self.starts):
            begin, end = self.x(start), self.x(self._end(place))
            wide = (end - begin) * 0.8 / len(self.lines)
            for number, line in enumerate(self.lines):
                if value := line.values[place]:
                    top, foot = self.y(max(value, 0)), self.y(min(value, 0))
                    left = round(begin + (end - begin) * 0.1 + wide * number, 1)
                    title = f"{line.name} from {_time(start)}: {told(value, self.unit)}"
                    found.append(Bar(left, top, round(wide, 1), round(foot - top, 1), line.tone, title))
        return tuple(found)

    @property
    def dots(self) -> tuple[Dot, ...]:
        """The points of a chart of lines."""
        return tuple(
            Dot(
                self._middle(place),
                self.y(value),
                line.tone,
                f"{line.name} from {_time(start)}: {told(value, self.unit)}",
            )
            for line in self.lines
            for place, start in enumerate(self.starts)
            if (value := line.values[place]) is not None
        )

    @property
    def strokes(self) -> tuple[tuple[str, str], ...]:
        """The lines between points: their tone, and the points. A gap ends one."""
        found = []
        for line in self.lines:
            points: list[str] = []
            for place, value in enumerate((*line.values, None)):
                if value is not None:
                    points.append(f"{self._middle(place)},{self.y(value)}")
                    continue
                if len(points) > 1:
                    found.append((line.tone, " ".join(points)))
                points = []
        return tuple(found)

    @property
    def levels(self) -> tuple[Label, ...]:
        """The values beside the vertical axis."""
        least, greatest = self.scale
        middle = (least + greatest) / 2
        shown = (least, middle, greatest) if self.unit or middle == int(middle) else (least, greatest)
        return tuple(Label(self.y(value), told(value, self.unit)) for value in shown)

    @property
    def times(self) -> tuple[Label, ...]:
        """The times under the horizontal axis."""
        count = len(self.starts)
        places = sorted({0, count // 3, 2 * count // 3})
        return tuple(Label(self.x(self.starts[place]), _time(self.starts[place])) for place in places)

    @property
    def marked(self) -> tuple[Label, ...]:
        """Where the marks stand, and what they say."""
        return tuple(
            Label(self.x(mark.time), mark.title)
            for mark in self.marks
            if self.starts[0] <= mark.time < self.until
        )

    @property
    def rows(self) -> tuple[tuple[datetime, tuple[str, ...]], ...]:
        """The values as text, for each part of time that has any."""
        found = []
        for place, start in enumerate(self.starts):
            values = [line.values[place] for line in self.lines]
            if any(value for value in values) or (self.kind is Kind.LINES and values != [None] * len(values)):
                found.append((start, tuple(told(value, self.unit) for value in values)))
        return tuple(found)

    def _end(self, place: int) -> datetime:
        return self.starts[place + 1] if place + 1 < len(self.starts) else self.until

    def _middle(self, place: int) -> float:
        return round((self.x(self.starts[place]) + self.x(self._end(place))) / 2, 1)


def told(value: float | None, unit: str) -> str:
    """Return a value as people read it; of nothing, a dash."""
    if value is None:
        return "-"
    number = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    match unit:
        case "$":
            return f"${value:,.2f}"
        case "%":
            return f"{value:.0f} %"
        case "":
            return number
        case _:
            return f"{number} {unit}"


def in_unit_of_time(rows: Sequence[Sequence[float | None]]) -> tuple[str, float]:
    """Return the unit that the greatest of some seconds reads best in, and its seconds."""
    most = max((value for row in rows for value in row if value is not None), default=0)
    units = (("d", 2 * 86_400, 86_400), ("h", 2 * 3600, 3600), ("min", 120, 60))
    return next(((name, float(one)) for name, least, one in units if most >= least), ("s", 1.0))


def _round(value: float) -> float:
    """Return the next number up that reads well."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * 0.999999)


def _time(time: datetime) -> str:
    return f"{time:%m-%d %H:%M}"
