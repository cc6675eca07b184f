"""What a view is told about one event, and what it may answer: rows to put, columns to amend.

Rules
1. A view is a pure function of the step: no clock, no reading back, so a rebuild gives the same rows.
2. A row belongs to one aggregate: no two aggregates make the same key, so they can be folded apart.
3. States come from the aggregates' own `evolve`; a view never repeats their rules.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from events.fact import Fact, Stamp
from projections.table import Row, Table


class Moment(NamedTuple):
    """Where and when an event of an aggregate happened."""

    version: int
    seq: int
    time: datetime


class Step(NamedTuple):
    """One event and what it did. `began` is the time of the aggregate's first event; `previous_seq` the
    sequence of its event before this one, 0 for the first; `claimed` the last claim of work before this
    event."""

    seq: int
    aggregate: str
    id: str
    fact: Fact
    stamp: Stamp
    before: object
    after: object
    began: datetime
    previous_seq: int
    claimed: Moment | None

    @property
    def moment(self) -> Moment:
        """Where and when the event itself happened."""
        return Moment(self.stamp.version, self.seq, self.stamp.time)


class Put(NamedTuple):
    """Write a whole row, in place of any with the same key."""

    row: Row


class Amend(NamedTuple):
    """Change some columns of the row with this key, which is there."""

    key: tuple[object, ...]
    values: Mapping[str, object]


Change = Put | Amend


@dataclass(frozen=True)
class View:
    """A read model: one table, and the changes one step makes to it.

    Raise `version` whenever rows would come out differently: the views are then built anew.
    """

    version: int
    table: Table[Any]
    evolve: Callable[[Step], Sequence[Change]]

    @property
    def name(self) -> str:
        """The name of the view and of its table."""
        return self.table.name


def ranged(step: Step, stood: bool, row: Row | None) -> tuple[Change, ...]:
    """End the row that `stood` until this step and begin the next, for a key of (id, valid_from_seq)."""
    begun = (Put(row),) if row else ()
    if not stood:
        return begun
    return Amend((step.id, step.previous_seq), {"valid_to_seq": step.seq}), *begun
