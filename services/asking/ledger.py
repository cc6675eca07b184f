"""Begins and ends calls on the log: the run and what it takes from every budget, in one append.

Rules
1. A call begins only with its reservation in all budgets. Who was faster elsewhere makes the append fail as
   a whole; it is then decided anew, after a pause that chance gives.
2. It ends with what it spent in all budgets: committed where it answered or used anything, else released.
   What a stopped call cost nobody knows: it is released.
3. A reservation outlives its call's longest time by `MARGIN`. After that its holder is dead: the next call
   on that budget releases it, and ends the dead run.
4. In one process one append goes after the other: they would only refuse each other.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from events.budget import BUDGET, Budget, Reserved
from events.envelope import Cause
from events.fact import Rejected
from events.run import RUN, Cancelled, Completed, Failed, Requested, Reused, Started
from events.store import Conflict
from schemas.engine import FailureKind, Spent
from services.asking.accounts import UNHEARD, reservation, settling
from services.asking.limits import Limits, budgets
from services.runtime.claims import Halted, why_paused
from services.runtime.log import Change, Loaded, Log

log = structlog.get_logger()

T = TypeVar("T")
MARGIN = 60.0
TRIES = 60
LONGEST_PAUSE = 0.5


class Taken(Exception):  # noqa: N818 -- what happened
    """The id is another run's."""


class NoBudget(Exception):  # noqa: N818 -- what is wanting
    """A budget has not enough left; no call was made."""

    def __init__(self, budget: str, reason: str) -> None:
        super().__init__(f"the budget {budget} is exhausted: {reason}")
        self.budget, self.reason = budget, reason


@dataclass(frozen=True)
class Begun:
    """A call under way: its run, and the budgets that hold something for it."""

    run: str
    budgets: tuple[str, ...]
    cause: Cause


Ending = Completed | Failed | Cancelled
OnState = tuple[Change, Loaded[Any]]


class Ledger:
    """Keeps the accounts of one process's calls."""

    def __init__(
        self, book: Log, limits: Limits, margin: float = MARGIN, chance: Callable[[], float] = random.random
    ) -> None:
        self._book = book
        self._limits = limits
        self._margin = margin
        self._chance = chance
        self._turn = asyncio.Lock()

    async def require_running(self) -> None:
        """Raise `Halted` while the swarm is paused."""
        if paused := await why_paused(self._book):
            raise Halted(paused)

    async def begin(self, run: str, asked: Requested, micros: int, seconds: float, cause: Cause) -> Begun:
        """Reserve `micros` and record that the run began, for `seconds` at most.

        Raises `NoBudget`, `Halted`, or `Taken` where the id is another run's.
        """

        async def reserve() -> Begun:
            now = self._book.clock()
            until = now + timedelta(seconds=seconds + self._margin)
            wanted = budgets(self._limits, asked.improvement, asked.engine, now)
            _, known, accounts = await asyncio.gather(
                self.require_running(), self._book.load(RUN, run), self._accounts(wanted)
            )
            if known.state.requested is not None:
                raise Taken(run)
            states = {id: account.state for id, account in accounts.items()}
            made = reservation(states, wanted, Reserved(run=run, micros=micros, lease_until=until), now)
            changes: list[OnState] = [
                (Change(BUDGET, id, facts), accounts[id]) for id, facts in made.facts.items()
            ]
            changes += await self._burials(made.dead)
            if made.refusal is None:
                changes.append((Change(RUN, run, (asked, Started())), known))
            if changes:
                await self._book.record_on(changes, cause)
            if made.refusal is not None:
                raise NoBudget(made.refusal.budget, made.refusal.reason)
            return Begun(run, tuple(wanted), cause)

        return await self._in_turn(reserve)

    async def end(self, begun: Begun, ending: Ending, spent: Spent | None) -> bool:
        """Record how a call ended and settle its budgets; `spent` is None for a call that was stopped.

        Return whether the run took the ending: somebody may have cancelled it meanwhile.
        """

        async def settle() -> bool:
            reason = "" if isinstance(ending, Completed) else ending.reason
            run, accounts = await asyncio.gather(
                self._book.load(RUN, begun.run), self._accounts(begun.budgets)
            )
            if run.state.ended == ending:  # stored before, though the answer was lost
                return True
            open_still = run.state.ended is None
            changes: list[OnState] = []
            for id, account in accounts.items():
                if fact := settling(account.state, begun.run, spent, reason):
                    changes.append((Change(BUDGET, id, (fact,)), account))
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

    async def _burials(self, runs: Iterable[str]) -> list[OnState]:
        """Return the end of those runs whose holders are dead, and that did not end."""
        runs = sorted(runs)
        loaded = await asyncio.gather(*(self._book.load(RUN, run) for run in runs))
        end = Failed(duration_ms=0, reason=UNHEARD, kind=FailureKind.KILLED)
        return [
            (Change(RUN, run, (end,)), one)
            for run, one in zip(runs, loaded, strict=True)
            if one.state.started and one.state.ended is None
        ]

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
                await asyncio.sleep(min(LONGEST_PAUSE, 0.005 * 2**number) * self._chance())
        raise AssertionError("the last try returns or raises")
