"""An engine as all who call it see it: which calls are under way, and whether it ails.

Rules
1. A call takes one of `places` before it begins, and leaves it when it ends; where none is free it is `Full`.
2. After `lease_until` anybody may end a call: its holder is taken for dead.
3. Failures in a row that tell of the engine (`FailureKind.ails`) open its circuit, `until` a moment: no call
   begins before it (`Ailing`). Then one call is let through, and the others still are not.
4. An answer closes the circuit, and so does a failure that tells of the task alone. What was stopped or
   killed tells nothing: whether the engine is well stays open, and the next call may look.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.engine import FailureKind

TELLS_NOTHING = frozenset({FailureKind.BUDGET_EXHAUSTED, FailureKind.CANCELLED, FailureKind.KILLED})


class CallBegun(Fact):
    """A run took one of `places` until `lease_until`; `budgets` are those that hold something for it."""

    name: ClassVar[str] = "call_begun"
    run: str
    places: int
    lease_until: datetime
    budgets: tuple[str, ...] = ()


class CallEnded(Fact):
    """A run left its place; `failure` is None where the engine answered."""

    name: ClassVar[str] = "call_ended"
    run: str
    failure: FailureKind | None = None


class CircuitOpened(Fact):
    """So many failures in a row, the last of this kind: the engine is left alone until then."""

    name: ClassVar[str] = "circuit_opened"
    failures: int
    failure: FailureKind
    until: datetime


EngineFact = CallBegun | CallEnded | CircuitOpened


class Full(Rejected):
    """As many calls as are allowed are under way."""


class Ailing(Rejected):
    """The circuit is open; `failure` is the kind that opened it."""

    def __init__(self, failure: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


@dataclass(frozen=True)
class Engine:
    """The state of an engine. `calls` are those under way by run, `failures` those in a row.

    `opened` is the circuit while it is open, `trying` the run that looks whether the engine is well again.
    """

    calls: dict[str, CallBegun] = field(default_factory=dict)
    failures: int = 0
    opened: CircuitOpened | None = None
    trying: str = ""

    def overdue(self, now: datetime) -> tuple[CallBegun, ...]:
        """The calls whose lease ran out."""
        return tuple(one for one in self.calls.values() if now >= one.lease_until)


def evolve(state: Engine, fact: EngineFact, stamp: Stamp) -> Engine:
    """Return the engine after `fact`."""
    match fact:
        case CallBegun():
            trying = fact.run if state.opened else ""
            return replace(state, calls={**state.calls, fact.run: fact}, trying=trying)
        case CallEnded():
            calls = {run: one for run, one in state.calls.items() if run != fact.run}
            left = replace(state, calls=calls, trying="" if fact.run == state.trying else state.trying)
            return _judged(left, fact.failure)
        case CircuitOpened():
            return replace(state, opened=fact, trying="")


def _judged(state: Engine, failure: FailureKind | None) -> Engine:
    if failure in TELLS_NOTHING:
        return state
    if failure is not None and failure.ails:
        return replace(state, failures=state.failures + 1)
    return Engine(calls=state.calls)


def decide(state: Engine, fact: EngineFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`: `Ailing` where the circuit is open, `Full` where no place is free."""
    match fact:
        case CallBegun():
            _require(fact.run not in state.calls, f"the call {fact.run} is under way already")
            _require(fact.places > 0, "there is at least one place")
            _require(fact.lease_until > now, "a lease must end in the future")
            _require_well(state, now)
            if len(state.calls) >= fact.places:
                raise Full(f"under way: {len(state.calls)}, allowed at once: {fact.places}")
        case CallEnded():
            _require(fact.run in state.calls, f"no call {fact.run} is under way")
        case CircuitOpened():
            _require(0 < fact.failures == state.failures, f"{state.failures} failures in a row are known")
            _require(fact.until > now, "a circuit is open until a moment in the future")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Rejected(otherwise)


def _require_well(state: Engine, now: datetime) -> None:
    opened = state.opened
    if opened is None or (now >= opened.until and state.trying not in state.calls):
        return
    plural = "" if opened.failures == 1 else "s"
    times = f"{opened.failures} failure{plural} in a row, the last: {opened.failure.value}"
    until = f"is not called before {opened.until:%H:%M:%S} UTC"
    looking = "" if now < opened.until else f"; {state.trying} looks whether it is well"
    raise Ailing(opened.failure, f"{until}, after {times}{looking}")


ENGINE = AggregateType("engine", (CallBegun, CallEnded, CircuitOpened), Engine(), evolve, decide)
