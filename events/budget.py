"""A budget: how much engines may cost and how often they may be called, for one purpose.

Rules
1. Each call reserves before it begins: what is reserved and committed, with what is asked, stays within the
   limit, in money and in runs; else `OverLimit`. A limit of 0 allows nothing.
2. A reservation ends once: committed with what was spent, or released. It is one run's.
3. What a call spent beyond its reservation is told apart, as `over_micros`. It takes from what is left; what
   was reserved and committed never exceeds the limit by it.
4. After `lease_until` a reservation may be released by anybody: its holder is taken for dead. Where the
   holder comes back, all that it spent is `over_micros`.
5. Released runs do not count. After `until` nothing is reserved.
6. A budget may be opened again with another limit. Below what is taken already, nothing more is reserved.

Amounts are millionths of a US dollar.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from events.escalation import Escalated, Waiting, decide_escalation, mark
from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.obstacle import Obstacle


class Opened(Fact):
    """The limits that hold from now on."""

    name: ClassVar[str] = "opened"
    limit_micros: int
    limit_runs: int
    until: datetime | None = None


class Reserved(Fact):
    """A run may spend as much, and is to tell what it spent before `lease_until`."""

    name: ClassVar[str] = "reserved"
    run: str
    micros: int
    lease_until: datetime


class Committed(Fact):
    """A run spent `micros` of what was reserved for it, and `over_micros` besides."""

    name: ClassVar[str] = "committed"
    run: str
    micros: int
    over_micros: int = 0


class Released(Fact):
    """What was reserved for a run is free again."""

    name: ClassVar[str] = "released"
    run: str
    reason: str


class Exhausted(Fact):
    """A call was refused for want of what it asked for; it was not made."""

    name: ClassVar[str] = "exhausted"
    asked_micros: int
    reason: str


BudgetFact = Opened | Reserved | Committed | Released | Exhausted | Escalated


class OverLimit(Rejected):
    """What is asked for exceeds what is left."""


@dataclass(frozen=True)
class Budget:
    """The state of a budget. `reserved` are the running reservations by run, `lapsed` the runs whose
    reservation was released after its lease, `runs` those that committed."""

    opened: Opened | None = None
    reserved: dict[str, Reserved] = field(default_factory=dict)
    lapsed: tuple[str, ...] = ()
    runs: int = 0
    committed_micros: int = 0
    over_micros: int = 0
    exhausted: Exhausted | None = None
    exhausted_at: datetime | None = None
    told: Escalated | None = None

    @property
    def waits(self) -> tuple[Waiting, ...]:
        """What calls wait for that were refused: more to spend, or what others hold of it."""
        if self.exhausted is None or self.exhausted_at is None or self.opened is None:
            return ()
        limit = f"its limit of {dollars(self.opened.limit_micros)} and {self.opened.limit_runs} calls"
        holders = (limit, *(f"run {run}" for run in self.reserved))
        return (
            Waiting(Obstacle.BUDGET, self.exhausted_at, self.exhausted.reason, holders, self.opened.until),
        )

    @property
    def escalated(self) -> Escalated | None:
        """That calls wait too long, as long as they do."""
        return mark(self.waits, self.told)

    @property
    def reserved_micros(self) -> int:
        """What the running reservations hold."""
        return sum(one.micros for one in self.reserved.values())

    @property
    def left_micros(self) -> int:
        """What can still be reserved; below nothing where more was spent than was reserved."""
        limit = self.opened.limit_micros if self.opened else 0
        return limit - self.reserved_micros - self.committed_micros - self.over_micros

    @property
    def left_runs(self) -> int:
        """How many calls can still be begun."""
        return (self.opened.limit_runs if self.opened else 0) - len(self.reserved) - self.runs

    def overdue(self, now: datetime) -> tuple[Reserved, ...]:
        """The reservations whose lease ran out."""
        return tuple(one for one in self.reserved.values() if now >= one.lease_until)


def _without(state: Budget, run: str) -> dict[str, Reserved]:
    return {id: one for id, one in state.reserved.items() if id != run}


def _relieved(state: Budget) -> Budget:
    """Return the budget no longer exhausted where what was asked for fits by now."""
    asked = state.exhausted.asked_micros if state.exhausted else 0
    fits = state.left_runs > 0 and state.left_micros >= asked
    return replace(state, exhausted=None) if fits else state


def evolve(state: Budget, fact: BudgetFact, stamp: Stamp) -> Budget:
    """Return the budget after `fact`."""
    match fact:
        case Opened():
            return _relieved(replace(state, opened=fact))
        case Reserved():
            return replace(state, reserved={**state.reserved, fact.run: fact})
        case Committed():
            settled = replace(
                state,
                reserved=_without(state, fact.run),
                lapsed=tuple(run for run in state.lapsed if run != fact.run),
                runs=state.runs + 1,
                committed_micros=state.committed_micros + fact.micros,
                over_micros=state.over_micros + fact.over_micros,
            )
            return _relieved(settled)
        case Released():
            late = stamp.time >= state.reserved[fact.run].lease_until
            lapsed = (*state.lapsed, fact.run) if late else state.lapsed
            return _relieved(replace(state, reserved=_without(state, fact.run), lapsed=lapsed))
        case Exhausted():
            return replace(state, exhausted=fact, exhausted_at=stamp.time)
        case Escalated():
            return replace(state, told=fact)


def decide(state: Budget, fact: BudgetFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`, `OverLimit` where it is the limit that refuses."""
    if isinstance(fact, Opened):
        _require_amounts(fact.limit_micros, fact.limit_runs)
        return
    if state.opened is None:
        raise Rejected("the budget was not opened")
    match fact:
        case Reserved():
            _require_room(state, state.opened, fact, now)
        case Committed():
            _require_within(state, fact)
        case Released():
            _require(fact.run in state.reserved, f"nothing is reserved for {fact.run}")
        case Escalated():
            decide_escalation(state.waits, state.told, fact, now)
        case Exhausted():
            _require(state.exhausted is None, "it is known that the budget is exhausted")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Rejected(otherwise)


def _require_amounts(*amounts: int) -> None:
    _require(min(amounts) >= 0, "an amount is not below nothing")


def _require_room(state: Budget, opened: Opened, fact: Reserved, now: datetime) -> None:
    _require_amounts(fact.micros)
    known = fact.run in state.reserved or fact.run in state.lapsed
    _require(not known, f"the run {fact.run} has reserved already")
    _require(fact.lease_until > now, "a lease must end in the future")
    if opened.until is not None and now >= opened.until:
        raise Rejected(f"the budget ended at {opened.until.isoformat()}")
    if state.left_runs < 1:
        raise OverLimit(
            f"{opened.limit_runs} runs are allowed: {state.runs} are done, {len(state.reserved)} under way"
        )
    if fact.micros > state.left_micros:
        raise OverLimit(
            f"{dollars(fact.micros)} are asked for and {dollars(max(0, state.left_micros))} are left"
            f" of {dollars(opened.limit_micros)}"
        )


def _require_within(state: Budget, fact: Committed) -> None:
    _require_amounts(fact.micros, fact.over_micros)
    held = state.reserved.get(fact.run)
    _require(held is not None or fact.run in state.lapsed, f"nothing is reserved for {fact.run}")
    within = fact.micros <= (held.micros if held else 0)
    _require(within, f"{fact.micros} are more than was reserved for {fact.run}")


def dollars(micros: int) -> str:
    """Return an amount as people write it."""
    whole, part = divmod(micros, 1_000_000)
    return f"${whole}.{f'{part:06}'.rstrip('0').ljust(2, '0')}"


BUDGET = AggregateType(
    "budget", (Opened, Reserved, Committed, Released, Exhausted, Escalated), Budget(), evolve, decide
)
