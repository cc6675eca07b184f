"""Compares what came of two worlds since they parted: pure, from the events after that and the boards.

Only what was recorded after the common past counts, except where a status or a commit stands: those are of
every improvement there is, so that one that stood before and did not move counts as equal.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from events.batch import BATCH, Tested
from events.catalogue import read_fact
from events.improvement import LANDED
from events.store import Recorded
from events.target import TARGET, BaselineRecorded
from events.unreadable import is_unreadable
from events.upcasting import UnknownFact
from projections.views.improvement_board import ImprovementRow
from schemas.base import Frozen


class Course(Frozen):
    """What came of one world: counts since the worlds parted, and how its improvements stand.

    `seconds` lie between the first event after the parting and the last; `fixed` counts findings of what
    landed.
    """

    name: str
    events: int
    seconds: int
    suite_runs: int
    improvements: int
    statuses: dict[str, int]
    landed: int
    fixed: int


class Differing(Frozen):
    """An improvement that stands otherwise; an empty status means that it is not there."""

    id: str
    title: str
    statuses: tuple[str, str]
    commits: tuple[str, str]


class Comparison(Frozen):
    """Two courses since event `seq`, and every improvement that stands otherwise."""

    seq: int
    courses: tuple[Course, Course]
    differing: tuple[Differing, ...]
    equal: int


@dataclass
class Since:
    """What was recorded in one world after the parting, growing event by event."""

    events: int = 0
    suite_runs: int = 0
    times: list[datetime] = field(default_factory=list)

    def add(self, event: Recorded) -> None:
        """Count an event."""
        self.events += 1
        if is_unreadable(event.envelope):
            return
        at = event.envelope.at
        self.times = [min([*self.times, at]), max([*self.times, at])]
        if event.envelope.address.aggregate in (BATCH.name, TARGET.name):
            self.suite_runs += _suite_runs(event)

    @property
    def seconds(self) -> int:
        """From the first event to the last."""
        return round((self.times[1] - self.times[0]).total_seconds()) if self.times else 0


def _suite_runs(event: Recorded) -> int:
    try:
        fact = read_fact(event.envelope)
    except UnknownFact:
        return 0
    return fact.suite_runs if isinstance(fact, BaselineRecorded) else int(isinstance(fact, Tested))


def course(name: str, since: Since, rows: Iterable[ImprovementRow]) -> Course:
    """Return what came of one world."""
    rows = tuple(rows)
    landed = [row for row in rows if row.status in LANDED]
    return Course(
        name=name,
        events=since.events,
        seconds=since.seconds,
        suite_runs=since.suite_runs,
        improvements=len(rows),
        statuses=dict(sorted(Counter(row.status.value for row in rows).items())),
        landed=len(landed),
        fixed=sum(row.fixed for row in landed),
    )


def compared(
    seq: int,
    courses: tuple[Course, Course],
    boards: tuple[Iterable[ImprovementRow], Iterable[ImprovementRow]],
) -> Comparison:
    """Return how two worlds differ."""
    first, second = ({row.id: row for row in board} for board in boards)
    differing = tuple(
        found for id in sorted({*first, *second}) if (found := _differing(first.get(id), second.get(id)))
    )
    equal = len({*first, *second}) - len(differing)
    return Comparison(seq=seq, courses=courses, differing=differing, equal=equal)


def _differing(one: ImprovementRow | None, other: ImprovementRow | None) -> Differing | None:
    rows = (one, other)
    statuses = tuple(row.status.value if row else "" for row in rows)
    commits = tuple(row.commit if row else "" for row in rows)
    if len({*statuses}) == len({*commits}) == 1:
        return None
    there = one or other
    assert there is not None  # noqa: S101 -- it stands on one of the boards
    return Differing(
        id=there.id,
        title=there.title,
        statuses=(statuses[0], statuses[1]),
        commits=(commits[0], commits[1]),
    )
