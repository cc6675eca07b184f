"""A batch: improvements whose changes stand on one tip and are tested together.

Rules
1. QA forms a batch, holds its claim while it searches, and closes it once.
2. Only the holder of the claim adds to it. Every suite run is a fact: `tested` names the tree, so that
   no tree is tested twice.
3. `split` says which improvement was found guilty and in what parts it is tried again.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from events.escalation import Escalated, Leased, decide_escalation
from events.fact import AggregateType, Fact, Rejected, Stamp
from events.lease import (
    LEASE_FACTS,
    LeaseFact,
    WorkClaimed,
    WorkReleased,
    WorkRenewed,
    decide_lease,
    evolve_claim,
    require_claim,
)
from schemas.artefacts import ArtefactRef
from schemas.improvement import LeftOut


class Formed(Fact):
    """Improvements (`members`, in stacking order) are to be tested on top of `base`."""

    name: ClassVar[str] = "formed"
    target: str
    scan: str
    base: str
    members: tuple[str, ...]


class Tested(Fact):
    """The suite ran on `tree`. `original_tests` marks a run of the target's unedited tests on it."""

    name: ClassVar[str] = "tested"
    claim: int
    tree: str
    original_tests: bool
    coverage: bool
    passed: bool
    reason: str
    members: int
    suite_ms: int
    report: ArtefactRef


class Split(Fact):
    """`improvement` was found to break the suite and is tried again in `parts` of a kind (file or site)."""

    name: ClassVar[str] = "split"
    claim: int
    improvement: str
    kind: str
    parts: int
    reason: str


class Settled(Fact):
    """The search is over: `kept` stand whole, `smaller` without the parts named, `refused` not at all."""

    name: ClassVar[str] = "settled"
    claim: int
    tree: str
    kept: tuple[str, ...]
    smaller: dict[str, tuple[LeftOut, ...]]
    refused: dict[str, str]


class Closed(Fact):
    """Every member has its verdict. `tip` is the last commit of the stack, `tree` what was proven."""

    name: ClassVar[str] = "closed"
    claim: int
    tip: str
    tree: str
    landed: tuple[str, ...]
    suite_runs: int


BatchFact = Formed | Tested | Split | Settled | Closed | Escalated | LeaseFact


@dataclass(frozen=True)
class Batch(Leased):
    """The state of a batch; `runs` holds each suite run by (tree, original_tests)."""

    formed: Formed | None = None
    runs: dict[tuple[str, bool], Tested] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    settled: Settled | None = None
    closed: Closed | None = None


def evolve(state: Batch, fact: BatchFact, stamp: Stamp) -> Batch:
    """Return the batch after `fact`."""
    match fact:
        case Formed():
            return replace(state, formed=fact)
        case Tested():
            return replace(state, runs={**state.runs, (fact.tree, fact.original_tests): fact})
        case Split():
            return replace(state, splits=(*state.splits, fact))
        case Settled():
            return replace(state, settled=fact, claim=None)
        case Closed():
            return replace(state, closed=fact, claim=None)
        case Escalated():
            return replace(state, told=fact)
        case WorkClaimed() | WorkRenewed() | WorkReleased():
            return replace(state, claim=evolve_claim(state.claim, fact, stamp))


def decide(state: Batch, fact: BatchFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, WorkClaimed | WorkRenewed | WorkReleased):
        decide_lease(state.claim, fact, now)
        return
    if isinstance(fact, Escalated):
        decide_escalation(state.waits, state.told, fact, now)
        return
    if isinstance(fact, Formed):
        if state.formed is not None:
            raise Rejected("the batch is formed already")
        return
    if state.formed is None:
        raise Rejected("there is no such batch")
    if state.closed is not None:
        raise Rejected("the batch is closed")
    if isinstance(fact, Settled) and state.settled is not None:
        raise Rejected("the batch is settled already")
    require_claim(state.claim, fact.claim, now)


BATCH = AggregateType(
    "batch", (Formed, Tested, Split, Settled, Closed, Escalated, *LEASE_FACTS), Batch(), evolve, decide
)
