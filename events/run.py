"""A run: one call of an engine, what it was asked, what it cost and how it ended.

Rules
1. `requested`, then `started` or `reused`; a started run ends once: completed, failed or cancelled.
2. Prices are micro-units of a currency, durations milliseconds.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.artefacts import ArtefactRef


class Requested(Fact):
    """A role wants `task` done for `improvement` by `engine`."""

    name: ClassVar[str] = "requested"
    improvement: str
    role: str
    engine: str
    model: str
    task: str


class Started(Fact):
    """The engine began."""

    name: ClassVar[str] = "started"


class Completed(Fact):
    """The engine answered."""

    name: ClassVar[str] = "completed"
    duration_ms: int
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micros: int = 0
    answer: ArtefactRef | None = None


class Failed(Fact):
    """The engine gave no usable answer."""

    name: ClassVar[str] = "failed"
    duration_ms: int
    reason: str


class Cancelled(Fact):
    """Somebody stopped the run."""

    name: ClassVar[str] = "cancelled"
    reason: str


class Reused(Fact):
    """An earlier answer to the same question was taken; `run` names it."""

    name: ClassVar[str] = "reused"
    run: str


RunFact = Requested | Started | Completed | Failed | Cancelled | Reused


@dataclass(frozen=True)
class Run:
    """The state of a run."""

    requested: Requested | None = None
    started: bool = False
    ended: Completed | Failed | Cancelled | Reused | None = None


def evolve(state: Run, fact: RunFact, stamp: Stamp) -> Run:
    """Return the run after `fact`."""
    match fact:
        case Requested():
            return replace(state, requested=fact)
        case Started():
            return replace(state, started=True)
        case Completed() | Failed() | Cancelled() | Reused():
            return replace(state, ended=fact)


def decide(state: Run, fact: RunFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    if isinstance(fact, Requested):
        if state.requested is not None:
            raise Rejected("the run was requested already")
        return
    if state.requested is None:
        raise Rejected("there is no such run")
    if state.ended is not None:
        raise Rejected(f"the run is over: {state.ended.name}")
    if isinstance(fact, Completed | Failed) and not state.started:
        raise Rejected("the run has not started")


RUN = AggregateType("run", (Requested, Started, Completed, Failed, Cancelled, Reused), Run(), evolve, decide)
