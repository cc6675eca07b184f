"""Begins and ends calls on the log: the run, its place with the engine, what it takes from every budget.

Rules
1. A call begins only with a place and with its reservation in all budgets, in one append with its run. Who
   was faster elsewhere makes the append fail as a whole; it is then decided anew, after a pause of chance.
2. It ends with what it spent in all budgets: committed where it answered or used anything, else released.
   What a stopped call cost nobody knows: it is released.
3. A place and a reservation outlive the call's longest time by the margin. After that the holder is dead: the
   next call of the engine ends the dead run and gives back what it held, and so does PM (`burying`).
4. In one process one append goes after the other: they would only refuse each other.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from events.budget import BUDGET, Budget, Reserved
from events.engine import ENGINE, Ailing, CallBegun, Engine, Full
from events.envelope import Cause
from events.fact import Rejected
from events.run import RUN, Cancelled, Completed, Failed, Requested, Reused, Started
from events.store import Conflict
from events.subjects import slug
from schemas.engine import FailureKind, Spent
from services.asking.accounts import reservation, settling
from services.asking.breaker import leaving
from services.asking.burying import OnState, bury
from services.asking.limits import Limits, budgets
from services.asking.manner import Manner
from services.runtime.claims import Halted, why_paused
from services.runtime.log import Change, Loaded, Log

log = structlog.get_logger()

T = TypeVar("T")
TRIES = 60
LONGEST_PAUSE = 0.5


class Taken(Exception):  # noqa: N818 -- what happened
    """The id is another run's."""


class NoPlace(Exception):  # noqa: N818 -- what is wanting
    """As many calls of the engine as are allowed are under way, here and elsewhere."""


class LeftAlone(Exception):  # noqa: N818 -- what happened
    """The engine is not called for a while; `failure` is how it failed before."""

    def __init__(self, failure: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


class NoBudget(Exception):  # noqa: N818 -- what is wanting
    """A budget has not enough left; no call was made. It ends at `until`, None: never."""

    def __init__(self, budget: str, reason: str, until: datetime | None) -> None:
        super().__init__(f"the budget {budget} is exhausted: {reason}")
        self.budget, self.until = budget, until


@dataclass(frozen=True)
class Begun:
    """A call under way: its run, its engine, and the budgets that hold something for it."""

    run: str
    engine: str
    budgets: tuple[str, ...]
    cause: Cause


Ending = Completed | Failed | Cancelled


class Ledger:
    """Keeps the accounts of one process's calls."""

    def __init__(self, book: Log, limits: Limits, manner: Manner) -> None:
        self._book = book
        self._limits = limits
        self._manner = manner
        self._turn = asyncio.Lock()

    async def require_running(self) -> None:
        """Raise `Halted` while the swarm is paused."""
        if paused := await why_paused(self._book):
            raise Halted(paused)

    async def begin(self, run: str, asked: Requested, micros: int, seconds: float, cause: Cause) -> Begun:
        """Take a place, reserve `micros`, and record that the run began, for `seconds` at most.

        Raises `NoPlace`, `LeftAlone`, `NoBudget`, `Halted`, or `Taken` where the id is another run's.
        """
        engine = slug(asked.engine)

        async def reserve() -> Begun:
            now = self._book.clock()
            until = now + timedelta(seconds=seconds + self._manner.margin)
            wanted = budgets(self._limits, asked.improvement, asked.engine, now)
            _, known, place, accounts = await asyncio.gather(
                self.require_running(),
                self._book.load(RUN, run),
                self._book.load(ENGINE, engine),
                self._accounts(wanted),
            )
            if known.state.requested is not None:
                raise Taken(run)
            if place.state.overdue(now):
                await bury(self._book, engine, cause.actor)
                return await reserve()
            call = CallBegun(run=run, places=self._manner.parallel, lease_until=until, budgets=tuple(wanted))
            _require_place(asked.engine, place.state, call, now)
            states = {id: account.state for id, account in accounts.items()}
            made = reservation(states, wanted, Reserved(run=run, micros=micros, lease_until=until), now)
            changes: list[OnState] = [
                (Change(BUDGET, id, facts), accounts[id]) for id, facts in made.facts.items()
            ]
            if made.refusal is None:
                changes.append((Change(ENGINE, engine, (call,)), place))
                changes.append((Change(RUN, run, (asked, Started())), known))
            if changes:
                await self._book.record_on(changes, cause)
            if made.refusal is not None:
                short = made.refusal.budget
                raise NoBudget(short, made.refusal.reason, wanted[short].until)
            return Begun(run, engine, call.budgets, cause)

        return await self._in_turn(reserve)

    async def end(self, begun: Begun, ending: Ending, spent: Spent | None) -> bool:
        """Record how a call ended, give up its place and settle its budgets.

        `spent` is None for a call that was stopped. Return whether the run took the ending: somebody may have
        ended it meanwhile.
        """

        async def settle() -> bool:
            reason = "" if isinstance(ending, Completed) else ending.reason
            run, place, accounts = await asyncio.gather(
                self._book.load(RUN, begun.run),
                self._book.load(ENGINE, begun.engine),
                self._accounts(begun.budgets),
            )
            if run.state.ended == ending:  # stored before, though the answer was lost
                return True
            open_still = run.state.ended is None
            changes: list[OnState] = []
            for id, account in accounts.items():
                if fact := settling(account.state, begun.run, spent, reason):
                    changes.append((Change(BUDGET, id, (fact,)), account))
            if left := leaving(
                place.state, begun.run, _failure(ending), self._manner.fuse, self._book.clock()
            ):
                changes.append((Change(ENGINE, begun.engine, left), place))
            if open_still:
                changes.append((Change(RUN, begun.run, (ending,)), run))
            if changes:
                await self._book.record_on(changes, begun.cause)
            return open_still

        return await self._in_turn(settle)

    async def at_once(self, run: str, asked: Requested, end: Cancelled | Reused, cause: Cause) -> None:
        """Record a run that calls nobody. Raises `Taken`."""
        try:
            await self._book.record(RUN, run, asked, end, cause=cause)
        except Rejected as known:
            raise Taken(run) from known

    async def _accounts(self, ids: Iterable[str]) -> dict[str, Loaded[Budget]]:
        ids = tuple(ids)
        return dict(zip(ids, await asyncio.gather(*(self._book.load(BUDGET, id) for id in ids)), strict=True))

    async def _in_turn(self, record: Callable[[], Awaitable[T]]) -> T:
        """Record when it is our turn, decided anew where what it was decided on is no longer so."""
        async with self._turn:
            for number in range(TRIES):
                try:
                    return await record()
                except (Conflict, Rejected) as faster:
                    if number == TRIES - 1:
                        raise
                    log.debug("accounts decided anew", why=str(faster))
                await asyncio.sleep(min(LONGEST_PAUSE, 0.005 * 2**number) * random.random())  # noqa: S311 -- a pause, not a secret
        raise AssertionError("the last try returns or raises")


def _require_place(name: str, state: Engine, call: CallBegun, now: datetime) -> None:
    try:
        ENGINE.decide(state, call, now)
    except Ailing as ails:
        raise LeftAlone(ails.failure, f"{name} {ails}") from ails
    except Full as full:
        raise NoPlace(str(full)) from full


def _failure(ending: Ending) -> FailureKind | None:
    """Return how a call failed, None where it was answered."""
    match ending:
        case Completed():
            return None
        case Cancelled():
            return FailureKind.CANCELLED
        case Failed():
            return ending.kind or FailureKind.GARBLED
