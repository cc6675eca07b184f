"""A target: a git repository the swarm improves, its scans and its baseline.

Rules
1. A target is registered once; everything else needs a registered target.
2. A scan is asked for, then done once: `scanned` names the improvements in rank order.
3. A baseline belongs to one base commit; without a usable one nothing lands without a person.
4. A paused target takes no new scan.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from events.escalation import Escalated, Leased, decide_escalation
from events.fact import AggregateType, Fact, Rejected, Stamp
from events.lease import (
    LeaseFact,
    WorkClaimed,
    WorkReleased,
    WorkRenewed,
    decide_lease,
    evolve_claim,
    require_claim,
)
from events.subjects import slug
from schemas.artefacts import ArtefactRef
from schemas.context import Context


class Registered(Fact):
    """A repository was put in the swarm's care. `path` is its root, or where a source was unpacked."""

    name: ClassVar[str] = "registered"
    path: str
    title: str
    origin: str


class ScanRequested(Fact):
    """Somebody asked for improvements of `base`. `limit` bounds how many are taken up; 0 is no bound.

    With a `request`, in a person's words, that alone is asked for, and nothing is searched. `context` is what
    others wrote and somebody handed over with it.
    """

    name: ClassVar[str] = "scan_requested"
    scan: str
    base: str
    branch: str
    rules: tuple[str, ...]
    engine: str
    limit: int
    dry_run: bool
    look_only: bool
    notes: tuple[str, ...] = ()
    request: str = ""
    context: tuple[Context, ...] = ()


class Scanned(Fact):
    """The source at `base` was searched. `findings` counts by rule over the import `packages`.

    `improvements` are ids in rank order; `known` those among them that stood before this scan;
    `remembered` says which rules were not proposed again, and why.
    """

    name: ClassVar[str] = "scanned"
    scan: str
    claim: int
    base: str
    packages: tuple[str, ...]
    findings: dict[str, int]
    improvements: tuple[str, ...]
    known: tuple[str, ...] = ()
    remembered: dict[str, str] = {}
    report: ArtefactRef
    notes: tuple[str, ...] = ()


class ScanFailed(Fact):
    """The source could not be searched; `reason` says why and what to do."""

    name: ClassVar[str] = "scan_failed"
    scan: str
    claim: int
    reason: str


class BaselineRecorded(Fact):
    """The suite was run at `base` before any change.

    `usable` is false when it proves nothing (no test, a hang, a crash); `reason` then says why.
    `flaky` tests changed outcome between runs of the same tree. `environment` names the built
    environment; `coverage` says whether line coverage was measured, and `coverage_ms` how long that took.
    """

    name: ClassVar[str] = "baseline_recorded"
    scan: str
    claim: int
    base: str
    usable: bool
    reason: str
    passed: int
    failed: int
    flaky: tuple[str, ...]
    coverage: bool
    suite_runs: int
    suite_ms: int
    coverage_ms: int
    environment: str
    environment_ms: int
    report: ArtefactRef
    notes: tuple[str, ...] = ()


class Paused(Fact):
    """No new work begins on the target."""

    name: ClassVar[str] = "paused"
    reason: str


class Resumed(Fact):
    """Work may begin again."""

    name: ClassVar[str] = "resumed"


def request_id(target: str, base: str, request: str, context: Sequence[str] = ()) -> str:
    """Return the id of a request's improvement at a commit: the same however often it is asked for.

    `context` are the digests of what was handed over with it.
    """
    digest = hashlib.sha256(" ".join((target, base, request, *context)).encode()).hexdigest()[:8]
    return f"{slug(request, 32)}-{digest}"


TargetFact = (
    Registered
    | ScanRequested
    | Scanned
    | ScanFailed
    | BaselineRecorded
    | Paused
    | Resumed
    | Escalated
    | LeaseFact
)


@dataclass(frozen=True)
class Scan:
    """One scan and what came of it."""

    requested: ScanRequested
    number: int
    done: Scanned | None = None
    failed: ScanFailed | None = None
    baseline: BaselineRecorded | None = None

    @property
    def id(self) -> str:
        """The scan's id."""
        return self.requested.scan


@dataclass(frozen=True)
class Target(Leased):
    """The state of a target."""

    registered: Registered | None = None
    scans: dict[str, Scan] = field(default_factory=dict)
    paused: bool = False

    @property
    def latest(self) -> Scan | None:
        """The scan asked for last."""
        return next(reversed(self.scans.values()), None)

    def baseline_at(self, base: str) -> BaselineRecorded | None:
        """The baseline recorded at a commit, whichever scan asked for it."""
        found = [s.baseline for s in self.scans.values() if s.baseline and s.baseline.base == base]
        return found[-1] if found else None


def _with_scan(target: Target, scan: Scan) -> Target:
    return replace(target, scans={**target.scans, scan.id: scan}, claim=None)


def evolve(state: Target, fact: TargetFact, stamp: Stamp) -> Target:  # noqa: C901 -- one case a fact
    """Return the target after `fact`."""
    match fact:
        case Registered():
            return replace(state, registered=fact)
        case ScanRequested():
            scan = Scan(fact, number=len(state.scans) + 1)
            return replace(state, scans={**state.scans, fact.scan: scan})
        case Scanned():
            return _with_scan(state, replace(state.scans[fact.scan], done=fact))
        case ScanFailed():
            return _with_scan(state, replace(state.scans[fact.scan], failed=fact))
        case BaselineRecorded():
            return _with_scan(state, replace(state.scans[fact.scan], baseline=fact))
        case Paused() | Resumed():
            return replace(state, paused=isinstance(fact, Paused))
        case Escalated():
            return replace(state, told=fact)
        case WorkClaimed() | WorkRenewed() | WorkReleased():
            return replace(state, claim=evolve_claim(state.claim, fact, stamp))


def decide(state: Target, fact: TargetFact, now: datetime) -> None:  # noqa: C901 -- one case a fact
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Registered):
        if state.registered is not None:
            raise Rejected(f"the target is registered already, at {state.registered.path}")
        return
    if state.registered is None:
        raise Rejected("the target is not registered")
    match fact:
        case ScanRequested():
            if state.paused:
                raise Rejected("the target is paused; resume it first")
            if fact.scan in state.scans:
                raise Rejected(f"the scan {fact.scan} was asked for already")
        case Scanned() | ScanFailed() | BaselineRecorded():
            require_claim(state.claim, fact.claim, now)
            _require_open(state, fact)
        case Paused() | Resumed():
            if state.paused == isinstance(fact, Paused):
                raise Rejected(f"the target is {'paused' if state.paused else 'running'} already")
        case Escalated():
            decide_escalation(state.waits, state.told, fact, now)
        case WorkClaimed() | WorkRenewed() | WorkReleased():
            decide_lease(state.claim, fact, now)


def _require_open(state: Target, fact: Scanned | ScanFailed | BaselineRecorded) -> None:
    scan = state.scans.get(fact.scan)
    if scan is None:
        raise Rejected(f"nobody asked for the scan {fact.scan}")
    if isinstance(fact, BaselineRecorded):
        if scan.baseline is not None:
            raise Rejected(f"the scan {fact.scan} has its baseline already")
    elif scan.done is not None or scan.failed is not None:
        raise Rejected(f"the scan {fact.scan} is done already")


TARGET = AggregateType(
    "target",
    (
        Registered,
        ScanRequested,
        Scanned,
        ScanFailed,
        BaselineRecorded,
        Paused,
        Resumed,
        Escalated,
        WorkClaimed,
        WorkRenewed,
        WorkReleased,
    ),
    Target(),
    evolve,
    decide,
)
