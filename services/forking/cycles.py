"""Reads one cycle from a log: who asked for it and where, and every event that was recorded for it.

What was done for a cycle carries its correlation; what a person asked for later carries another, and is no
part of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from events.catalogue import read_fact
from events.fact import Fact
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import ChangeImplemented
from events.run import RUN, Requested, Run
from events.store import Recorded
from events.target import TARGET, ScanRequested
from events.unreadable import is_unreadable
from events.upcasting import UnknownFact
from schemas.artefacts import ArtefactRef
from services.asking.recorded_runs import PastRun
from services.cycle.chronicle import chronicle_of
from services.cycle.settling import is_settled
from services.runtime.log import Log, stamp_of

Advance = Callable[[int], None]


class NoSuchImprovement(LookupError):  # noqa: N818 -- what was found
    """The log has no improvement of that id."""


class UnderWay(Exception):  # noqa: N818 -- what was found
    """The cycle of the improvement is not over yet."""


@dataclass(frozen=True)
class Ordered:
    """A cycle as it was asked for: of which target, as which scan, by the event `seq`."""

    target: str
    scan: str
    seq: int
    correlation: str
    is_request: bool


@dataclass(frozen=True)
class Cycle:
    """What was recorded for a cycle after it was asked for, in the order of the log."""

    ordered: Ordered
    events: tuple[Recorded, ...]
    facts: tuple[Fact, ...] = field(repr=False)

    def improvement(self, id: str) -> Improvement:
        """Return an improvement as the cycle left it."""
        return IMPROVEMENT.fold(
            (fact, stamp_of(event)) for event, fact in self.of(IMPROVEMENT.name) if _id(event) == id
        )

    def of(self, aggregate: str) -> list[tuple[Recorded, Any]]:
        """Return the events of one kind of aggregate with their facts."""
        pairs = zip(self.events, self.facts, strict=True)
        return [(event, fact) for event, fact in pairs if event.envelope.address.aggregate == aggregate]

    def runs(self) -> tuple[PastRun, ...]:
        """Return the calls of engines, in the order they were asked for."""
        states = dict[str, Run]()
        for event, fact in self.of(RUN.name):
            states[_id(event)] = RUN.evolve(states.get(_id(event), RUN.initial), fact, stamp_of(event))
        return tuple(PastRun(id, s.requested, s.ended) for id, s in states.items() if s.requested)

    def patches(self) -> Mapping[str, ArtefactRef]:
        """Return what became a change, by the run that wrote it."""
        return {f.run: f.patch for f in self.facts if isinstance(f, ChangeImplemented)}

    @property
    def started(self) -> tuple[str, ...]:
        """The runs in which an engine was asked in words."""
        begun = {_id(event) for event, fact in self.of(RUN.name) if fact.name == "started"}
        asked = (e for e, fact in self.of(RUN.name) if isinstance(fact, Requested) and fact.prompt)
        return tuple(_id(event) for event in asked if _id(event) in begun)


def _id(event: Recorded) -> str:
    return event.envelope.address.id


async def ordered(book: Log, improvement: str) -> Ordered:
    """Return the cycle that an improvement was found in. Raises `NoSuchImprovement`, `UnderWay`."""
    found = (await book.state(IMPROVEMENT, improvement)).discovered
    if found is None:
        raise NoSuchImprovement(improvement)
    target = await book.state(TARGET, found.target)
    scan = target.scans[found.scan]
    waits = (await book.state(IMPROVEMENT, improvement)).awaited_budget
    if waits or not await is_settled(book, target, scan):
        raise UnderWay(
            f"{improvement} is not over yet: let it end (aps improvements show {improvement}), then repeat it"
        )
    recorded, _ = await book.store.read(TARGET.name, found.target)
    asked = next(event for event in recorded if _asks_for(event, found.scan))
    return Ordered(
        found.target, found.scan, asked.seq, asked.envelope.correlationid, bool(scan.requested.request)
    )


def _asks_for(event: Recorded, scan: str) -> bool:
    fact = read_fact(event.envelope)
    return isinstance(fact, ScanRequested) and fact.scan == scan


async def last_of(book: Log, of: Ordered) -> int:
    """Return the last event of a cycle."""
    chronicle = await chronicle_of(book, of.target, of.scan)
    return max(entry.seq for entry in chronicle.own)


async def read_cycle(book: Log, of: Ordered, until: int, advance: Advance) -> Cycle:
    """Read what was recorded for a cycle up to an event."""
    events, facts = list[Recorded](), list[Fact]()
    async for event in book.store.read_all(of.seq, until):
        advance(event.seq - of.seq)
        if is_unreadable(event.envelope) or event.envelope.correlationid != of.correlation:
            continue
        try:
            facts.append(read_fact(event.envelope))
        except UnknownFact:
            continue
        events.append(event)
    return Cycle(of, tuple(events), tuple(facts))
