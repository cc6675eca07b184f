"""Measurements that others send: what one is, and how those of one request are kept in the stream.

Rules
1. A value is a whole number or decimal text, never a float: what is summed is what was sent.
2. A measurement without a time was made when it came.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
)

from schemas.base import Frozen
from services.cycle.text import is_plain

MOST_AT_ONCE = 500
MOST_LABELS = 10
MOST = 10**18
OLDEST = timedelta(days=30)
AHEAD = timedelta(minutes=5)  # clocks differ
RESERVED = ("name", "unit")  # what a measurement's own name and unit are told as


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("holds a character that cannot be seen")
    return text


def _own(name: str) -> str:
    if name in RESERVED or name.startswith("__"):
        raise ValueError(f"{name} is not a label's name: {', '.join(RESERVED)} and __* are taken")
    return name


LabelName = Annotated[str, Field(pattern="^[a-zA-Z_][a-zA-Z0-9_]{0,39}$"), AfterValidator(_own)]
LabelValue = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_plain)]
Whole = Annotated[int, Field(strict=True, ge=-MOST, le=MOST)]
DecimalText = Annotated[
    str, Field(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,9})?$", examples=["0.25"], max_length=30)
]


class Measurement(Frozen):
    """One value, measured by somebody outside. The same name, unit and labels make a series."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,59}$", examples=["build_seconds"])]
    value: Annotated[Whole | DecimalText, Field(description="A whole number, or decimal text.")]
    unit: Annotated[str, Field(pattern="^[A-Za-z0-9%/_.-]{0,20}$")] = ""
    labels: Annotated[dict[LabelName, LabelValue], Field(max_length=MOST_LABELS)] = {}
    time: AwareDatetime | None = None

    @property
    def number(self) -> Decimal:
        """The value to reckon with."""
        return Decimal(self.value)


class Measurements(Frozen):
    """Several values, stored all or none."""

    measurements: Annotated[tuple[Measurement, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]


def _shape(given: Any) -> str:
    several = isinstance(given, Measurements) or (isinstance(given, dict) and "measurements" in given)
    return "several" if several else "one"


class Sent(
    RootModel[
        Annotated[
            Annotated[Measurement, Tag("one")] | Annotated[Measurements, Tag("several")],
            Discriminator(_shape),
        ]
    ]
):
    """One measurement, or several."""

    model_config = ConfigDict(frozen=True)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """All that were sent."""
        return self.root.measurements if isinstance(self.root, Measurements) else (self.root,)


class Kept(Frozen):
    """What came with one request: when, from which token, and what."""

    at: AwareDatetime
    by: str
    measurements: tuple[Measurement, ...]


def out_of_time(measurements: tuple[Measurement, ...], now: datetime) -> tuple[str, ...]:
    """Say which measurements are told for a time that is not taken."""
    return tuple(
        f"measurements.{place}.time: {one.time.isoformat()} is not within the last {OLDEST.days} days"
        for place, one in enumerate(measurements)
        if one.time is not None and not now - OLDEST <= one.time <= now + AHEAD
    )
