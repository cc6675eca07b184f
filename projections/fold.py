"""Folding events into aggregates' states and views' changes: pure, one event at a time.

Rules
1. An event links to the one before it of its aggregate, and its hash is right; else `Unlinked`.
2. An event that cannot be read, folded or shown poisons its aggregate: nothing of the aggregate is
   applied from there on. Its links are still checked, and every other aggregate goes on.
3. A message that is no event is told with the poisoned ones and poisons nothing: it is no version of the
   aggregate and links to nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from events.catalogue import AGGREGATES, read_fact
from events.envelope import NO_ENVELOPE, NO_HASH, digest
from events.fact import Stamp
from events.lease import WorkClaimed
from events.store import Broken, Recorded
from events.trouble import in_words, place_of
from events.unreadable import complaint, is_unreadable
from projections.step import Change, Moment, Put, Step, View
from projections.table import Row, row_of

Key = tuple[str, str]
LONGEST_REASON = 2000
NOT_TAKEN = "its aggregate as it stands, or a view, cannot take it"


class Unlinked(Broken):
    """An event is not the next of its aggregate, or was altered: nothing is projected over it."""


class Standing(NamedTuple):
    """Where an aggregate stands. `seq` is its last applied event's, `poison` the one that blocked it,
    `claimed` the last claim of work on it."""

    state: object = None
    version: int = 0
    hash: str = NO_HASH
    seq: int = 0
    began: datetime | None = None
    poison: int = 0
    claimed: Moment | None = None


@dataclass(frozen=True)
class Poisoned:
    """An event that could not be applied, or a message that is none, and why."""

    seq: int
    aggregate: str
    id: str
    reason: str

    @property
    def blocks(self) -> bool:
        """Whether its aggregate stands still: not behind a message that is no event."""
        return not self.reason.startswith(NO_ENVELOPE)


@dataclass
class Pending:
    """The rows of one view that wait to be written, merged by key."""

    view: View
    rows: dict[tuple[object, ...], Row] = field(default_factory=dict)
    amended: dict[tuple[object, ...], dict[str, object]] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        """Take a change on top of those before it."""
        if isinstance(change, Put):
            key = self.view.table.key_of(change.row)
            self.amended.pop(key, None)
            self.rows[key] = change.row
        elif row := self.rows.get(change.key):
            self.rows[change.key] = row_of(type(row), **{**row.__dict__, **change.values})
        else:
            self.amended.setdefault(change.key, {}).update(change.values)


@dataclass
class Folded:
    """What a batch of events comes to: new standings, rows to write, events that poisoned."""

    standings: dict[Key, Standing]
    pending: tuple[Pending, ...]
    poisoned: list[Poisoned] = field(default_factory=list)


def key_of(recorded: Recorded) -> Key:
    """Return aggregate and id."""
    aggregate, _, name = recorded.envelope.subject.partition("/")
    return aggregate, name


def fold(
    events: Iterable[Recorded],
    standings: Mapping[Key, Standing],
    views: Sequence[View],
    refused: Mapping[int, str] | None = None,
) -> Folded:
    """Fold events onto the standings of their aggregates (missing: never seen before).

    `refused` names events whose rows the database would not take: they poison their aggregate.
    Raises `Unlinked`.
    """
    folded = Folded({}, tuple(Pending(view) for view in views))
    for recorded in events:
        key = key_of(recorded)
        standing = folded.standings.get(key) or standings.get(key) or Standing()
        if is_unreadable(recorded.envelope):
            reason = complaint(recorded.envelope)[:LONGEST_REASON]
            folded.poisoned.append(Poisoned(recorded.seq, *key, reason))
            folded.standings[key] = standing
            continue
        require_link(recorded, standing)
        if not standing.poison:
            standing = _applied(recorded, key, standing, folded, (refused or {}).get(recorded.seq))
        folded.standings[key] = _linked(standing, recorded)
    return folded


def require_link(recorded: Recorded, standing: Standing) -> None:
    """Raise `Unlinked` unless the event is the next of its aggregate and its hash is right."""
    envelope = recorded.envelope
    if (envelope.sequence, envelope.prevhash) != (standing.version + 1, standing.hash):
        raise Unlinked(
            f"event {recorded.seq} ({envelope.subject}) does not link: it says version {envelope.sequence}"
            f" after {str(envelope.prevhash)[:12]}, the journal has version {standing.version}"
            f" with {standing.hash[:12]}"
        )
    if envelope.hash != digest(envelope):
        raise Unlinked(
            f"event {recorded.seq} ({envelope.subject}) was altered: its hash is not its content's"
        )


def restored(events: Iterable[Recorded], poison: int = 0) -> Standing:
    """Return the standing of one aggregate from all its events; `poison` is the event it is blocked by."""
    standing = Standing()
    for recorded in events:
        if is_unreadable(recorded.envelope):
            continue
        if not standing.poison:
            if recorded.seq == poison:
                standing = standing._replace(poison=poison)
            else:
                standing = step_of(recorded, key_of(recorded), standing)[1]
        standing = _linked(standing, recorded)
    return standing


def step_of(recorded: Recorded, key: Key, standing: Standing) -> tuple[Step, Standing]:
    """Return what the event did, and where its aggregate stands after it."""
    envelope = recorded.envelope
    fact = read_fact(envelope)
    kind = AGGREGATES[key[0]]
    stamp = Stamp(envelope.sequence, envelope.at, envelope.actor)
    before = kind.initial if standing.state is None else standing.state
    after = kind.evolve(before, fact, stamp)
    began = standing.began or stamp.time
    step = Step(recorded.seq, *key, fact, stamp, before, after, began, standing.seq, standing.claimed)
    claimed = step.moment if isinstance(fact, WorkClaimed) else standing.claimed
    return step, Standing(
        after, standing.version, standing.hash, recorded.seq, began, standing.poison, claimed
    )


def _applied(
    recorded: Recorded, key: Key, standing: Standing, folded: Folded, refusal: str | None
) -> Standing:
    try:
        if refusal is not None:
            raise ValueError(refusal)
        step, after = step_of(recorded, key, standing)
        changes = [(pending, tuple(pending.view.evolve(step))) for pending in folded.pending]
    except Exception as problem:  # noqa: BLE001 -- whatever one event does, the others go on; it is recorded
        reason = in_words(problem, f"{NOT_TAKEN}{place_of(problem)}")[:LONGEST_REASON]
        folded.poisoned.append(Poisoned(recorded.seq, *key, reason))
        return standing._replace(poison=recorded.seq)
    for pending, made in changes:
        for change in made:
            pending.add(change)
    return after


def _linked(standing: Standing, recorded: Recorded) -> Standing:
    envelope = recorded.envelope
    state, _, _, seq, began, poison, claimed = standing
    return Standing(state, envelope.sequence, envelope.hash, seq, began, poison, claimed)
