"""Which budgets a call is taken from: its improvement's, the day's, its engine's in this month.

Days and months are those of UTC. A limit of 0 allows nothing; there is no word for unlimited.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.budget import Opened
from events.subjects import TOKEN, slug


@dataclass(frozen=True)
class Limit:
    """How much may be spent, in millionths of a US dollar, and how many calls may be made."""

    micros: int
    runs: int


@dataclass(frozen=True)
class Limits:
    """The limits of each improvement, each day, each engine in a month."""

    improvement: Limit
    day: Limit
    engine: Limit


def budgets(limits: Limits, improvement: str, engine: str, now: datetime) -> Mapping[str, Opened]:
    """Return the budgets of a call begun at `now` by id, as they are to be open."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    found = {
        f"day-{day:%Y-%m-%d}": _opened(limits.day, day + timedelta(days=1)),
        f"engine-{slug(engine)}-{day:%Y-%m}": _opened(limits.engine, month),
    }
    if improvement:
        found[_of_improvement(improvement)] = _opened(limits.improvement, None)
    return found


def opened_anew(limits: Limits, budget: str, now: datetime) -> Opened | None:
    """Return how a budget is to be open at `now`; None where its day or month is over."""
    rest = budget.partition("-")[2]
    engine = rest.rpartition("-")[0].rpartition("-")[0]  # without year and month
    return budgets(limits, rest, engine, now).get(budget)


def _opened(limit: Limit, until: datetime | None) -> Opened:
    return Opened(limit_micros=limit.micros, limit_runs=limit.runs, until=until)


def _of_improvement(improvement: str) -> str:
    id = f"improvement-{improvement}"
    if TOKEN.fullmatch(id):
        return id
    return f"improvement-{slug(improvement)}-{hashlib.sha256(improvement.encode()).hexdigest()[:12]}"
