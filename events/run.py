"""A run: one call of an engine, what it was asked, what it cost and how it ended.

Rules
1. `requested`, then `started` or `reused`; a started run ends once: completed, failed or cancelled.
2. Prices are micro-units of a currency, durations milliseconds. A price counts where `billing` says so.
3. Another try, and another engine after one that failed, are runs of their own: `attempt` counts the tries
   with one engine, `instead_of` names the run of the engine before.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.artefacts import ArtefactRef
from schemas.engine import Billing, FailureKind


class Requested(Fact):
    """A role wants `task` done for `improvement` by `engine`.

    `prompt` is what it is asked, sealed; `prompt_version` the hash of the file it was made from; `inputs` the
    hash of everything the answer depends on; `session` an earlier call's, to go on from. `suspicions` are
    the places where strangers' text in the prompt tries to instruct, each with its words.
    """

    name: ClassVar[str] = "requested"
    improvement: str
    role: str
    engine: str
    model: str
    task: str
    prompt: ArtefactRef | None = None
    prompt_version: str = ""
    inputs: str = ""
    session: str = ""
    instead_of: str = ""
    attempt: int = 1
    suspicions: tuple[str, ...] = ()


class Started(Fact):
    """The engine began."""

    name: ClassVar[str] = "started"


class Metered(Fact):
    """What a call used, and what it left: see `schemas.engine.Spent`.

    `model` is the one that answered, `transcript` what the engine said on the way, sealed. `suspicions` are
    the places where something that it read by its tools tries to instruct, each with its words.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micros: int = 0
    billing: Billing = Billing.FREE
    turns: int = 0
    duration_ms: int
    model: str = ""
    session: str = ""
    engine_version: str = ""
    transcript: ArtefactRef | None = None
    suspicions: tuple[str, ...] = ()


class Completed(Metered):
    """The engine answered. `patch` is what stood in its work tree then, against the source, both sealed."""

    name: ClassVar[str] = "completed"
    answer: ArtefactRef | None = None
    patch: ArtefactRef | None = None


class Failed(Metered):
    """The engine gave no usable answer."""

    name: ClassVar[str] = "failed"
    reason: str
    kind: FailureKind | None = None


class Cancelled(Metered):
    """Somebody stopped the run, or it was not to begin."""

    name: ClassVar[str] = "cancelled"
    reason: str
    duration_ms: int = 0


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
