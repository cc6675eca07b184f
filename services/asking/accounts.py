"""What a call does to the budgets: pure. See `services/asking/ledger.py` for when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from events.budget import (
    BUDGET,
    Budget,
    BudgetFact,
    Committed,
    Exhausted,
    Opened,
    OverLimit,
    Released,
    Reserved,
)
from events.fact import Stamp
from schemas.engine import Billing, Spent

UNHEARD = "its holder was not heard of again"
REASON_LENGTH = 300


@dataclass(frozen=True)
class Refusal:
    """The budget that has not enough left, and why."""

    budget: str
    reason: str


@dataclass(frozen=True)
class Reservation:
    """What to record on each budget.

    With a `refusal` it is what shows a person that nothing could be reserved, and may be nothing new.
    """

    facts: Mapping[str, tuple[BudgetFact, ...]]
    refusal: Refusal | None = None


def reservation(
    states: Mapping[str, Budget], wanted: Mapping[str, Opened], held: Reserved, now: datetime
) -> Reservation:
    """Return what reserves `held` in all budgets that are `wanted`, or what tells why one refuses."""
    facts: dict[str, tuple[BudgetFact, ...]] = {}
    for id, opened in wanted.items():
        state, before = states[id], _before(states[id], opened, now)
        for fact in before:
            state = BUDGET.evolve(state, fact, Stamp(0, now, ""))
        try:
            BUDGET.decide(state, held, now)
        except OverLimit as limit:
            said = () if state.exhausted else (Exhausted(asked_micros=held.micros, reason=str(limit)),)
            told = {id: (*before, *said)} if (*before, *said) else {}
            return Reservation(told, Refusal(id, str(limit)))
        facts[id] = (*before, held)
    return Reservation(facts)


def settling(state: Budget, run: str, spent: Spent | None, reason: str) -> Committed | Released | None:
    """Return what ends a run's reservation; None where none is left to be ended.

    What cost nothing and was not answered (`reason` says so) is released, and what was stopped (None) too.
    """
    held = state.reserved.get(run)
    if held is None and run not in state.lapsed:
        return None
    if spent is None or (reason and not _used(spent)):
        return Released(run=run, reason=(reason or "stopped")[:REASON_LENGTH]) if held else None
    cost = spent.cost_micros if spent.billing is Billing.PRICE else 0
    within = min(cost, held.micros if held else 0)
    return Committed(run=run, micros=within, over_micros=cost - within)


def refuses(state: Budget, opened: Opened | None, now: datetime) -> bool:
    """Whether a budget refuses still what it refused last, `opened` as it is to be now; None: it is over."""
    if opened is None:
        return False
    for fact in _before(state, opened, now):
        state = BUDGET.evolve(state, fact, Stamp(0, now, ""))
    return state.exhausted is not None


def _before(state: Budget, opened: Opened, now: datetime) -> tuple[BudgetFact, ...]:
    """Return what brings a budget up to now: its limits, and an end to the reservations of the dead."""
    late = tuple(Released(run=one.run, reason=UNHEARD) for one in state.overdue(now))
    return late if state.opened == opened else (*late, opened)


def _used(spent: Spent) -> bool:
    return bool(spent.cost_micros or spent.tokens_in or spent.tokens_out)
