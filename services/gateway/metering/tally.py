"""Tallies: what measurements of one series come to, minute by minute. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.gateway.metering.custom import Kept, Measurement


@dataclass(frozen=True, order=True)
class Series:
    """What measurements of one kind have in common; labels are sorted by name."""

    name: str
    unit: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tally:
    """How many values, their sum, the least, the greatest and the latest of them."""

    count: int
    sum: Decimal
    least: Decimal
    greatest: Decimal
    last: Decimal
    last_at: datetime


Tallies = dict[tuple[Series, datetime], Tally]


def series_of(measurement: Measurement) -> Series:
    """Return the series a measurement belongs to."""
    return Series(measurement.name, measurement.unit, tuple(sorted(measurement.labels.items())))


def together(earlier: Tally, later: Tally) -> Tally:
    """Return what two tallies come to; of two values at the same time the one that came later is last."""
    newest = later if later.last_at >= earlier.last_at else earlier
    return Tally(
        count=earlier.count + later.count,
        sum=earlier.sum + later.sum,
        least=min(earlier.least, later.least),
        greatest=max(earlier.greatest, later.greatest),
        last=newest.last,
        last_at=newest.last_at,
    )


def tallied(came: Iterable[Kept]) -> Tallies:
    """Return the tally of each series and minute."""
    found: Tallies = {}
    for kept in came:
        for one in kept.measurements:
            time = one.time or kept.at
            key = series_of(one), time.replace(second=0, microsecond=0)
            single = Tally(1, one.number, one.number, one.number, one.number, time)
            found[key] = together(found[key], single) if key in found else single
    return found


def by_series(tallies: Tallies) -> dict[Series, Tally]:
    """Return the tally of each series over all minutes."""
    found: dict[Series, Tally] = {}
    for (series, _), tally in tallies.items():
        found[series] = together(found[series], tally) if series in found else tally
    return found
