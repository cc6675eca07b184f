"""Gathers every fact of one cycle: of its target, improvements, batches, engine runs and deployments.

Rules
1. What was done for a cycle carries its correlation; what a person asked for later carries another.
2. Facts stand in the order of the log.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from events.batch import BATCH
from events.catalogue import read_fact
from events.deployment import DEPLOYMENT
from events.fact import AggregateType, Fact
from events.improvement import IMPROVEMENT
from events.improvement_facts import ChangeImplemented, Discovered
from events.lease import WorkClaimed
from events.run import RUN
from events.target import TARGET, ScanRequested
from services.runtime.log import Log

FactT = TypeVar("FactT", bound=Fact)
IMPLEMENTATION = "implementation"


class UnknownScan(LookupError):  # noqa: N818 -- what was met
    """The log has no such scan of this target."""


@dataclass(frozen=True)
class Entry:
    """One fact as it stands on the log."""

    seq: int
    time: datetime
    correlation: str
    aggregate: str
    id: str
    version: int
    fact: Fact


@dataclass(frozen=True)
class Chronicle:
    """The facts of every aggregate a cycle touched; `correlation` is the cycle's own."""

    correlation: str
    entries: tuple[Entry, ...]

    def of(self, kind: type[FactT]) -> Iterator[tuple[Entry, FactT]]:
        """Yield the facts of one kind, oldest first."""
        for entry in self.entries:
            if isinstance(entry.fact, kind):
                yield entry, entry.fact

    @property
    def own(self) -> tuple[Entry, ...]:
        """What was done for the cycle itself."""
        return tuple(entry for entry in self.entries if entry.correlation == self.correlation)


async def chronicle_of(book: Log, target_id: str, scan_id: str) -> Chronicle:
    """Read all that belongs to a scan's cycle. Raises `UnknownScan`."""
    entries = await _read(book, TARGET, target_id)
    asked = [e for e in entries if isinstance(e.fact, ScanRequested) and e.fact.scan == scan_id]
    if not asked:
        raise UnknownScan(f"the target {target_id} has no scan {scan_id}")
    done = (await book.state(TARGET, target_id)).scans[scan_id].done
    for id in done.improvements if done else ():
        entries += await _read(book, IMPROVEMENT, id)
    for scan in _scans(entries, scan_id):
        entries += await _batches(book, scan)
    for id in _runs(entries):
        entries += await _read(book, RUN, id)
    for id in _deployments(entries):
        entries += await _read(book, DEPLOYMENT, id)
    return Chronicle(asked[0].correlation, tuple(sorted(entries, key=lambda entry: entry.seq)))


async def _read(book: Log, kind: AggregateType[Any], id: str) -> list[Entry]:
    recorded, _ = await book.store.read(kind.name, id)
    return [
        Entry(
            seq=one.seq,
            time=one.envelope.at,
            correlation=one.envelope.correlationid,
            aggregate=kind.name,
            id=id,
            version=one.envelope.sequence,
            fact=read_fact(one.envelope),
        )
        for one in recorded
    ]


async def _batches(book: Log, scan: str) -> list[Entry]:
    """The batches of a scan are numbered from 1 without gaps."""
    entries: list[Entry] = []
    number = 1
    while found := await _read(book, BATCH, f"{scan}-b{number}"):
        entries += found
        number += 1
    return entries


def _scans(entries: Iterable[Entry], scan: str) -> tuple[str, ...]:
    """An improvement known from an earlier scan is tried in a batch of that one."""
    discovered = (entry.fact.scan for entry in entries if isinstance(entry.fact, Discovered))
    return tuple(dict.fromkeys((scan, *discovered)))


def _runs(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The Developer names a run after its claim, so a run that wrote nothing is found too."""
    names = [e.fact.run for e in entries if isinstance(e.fact, ChangeImplemented)]
    names += [
        f"{e.id}-r{e.version}"
        for e in entries
        if isinstance(e.fact, WorkClaimed)
        and e.aggregate == IMPROVEMENT.name
        and e.fact.work == IMPLEMENTATION
    ]
    return tuple(dict.fromkeys(names))


def _deployments(entries: Iterable[Entry]) -> tuple[str, ...]:
    named = (getattr(e.fact, "deployment", "") for e in entries if e.aggregate == IMPROVEMENT.name)
    return tuple(dict.fromkeys(name for name in named if name))
