"""Looks for what waits: tells once of what waits too long, and frees what a budget has room for again.

Rules
1. A look asks the log only which aggregates recorded what may make them wait, and how often: whoever did not
   since the last look and waited for nothing then is not read again.
2. Whoever is faster tells: of several copies one records the fact, the others find it known.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol
from uuid import uuid4

import structlog

from events.batch import BATCH
from events.budget import BUDGET, Exhausted
from events.deployment import DEPLOYMENT
from events.envelope import Cause
from events.escalation import Escalated, Waiting, too_long
from events.fact import AggregateType, Fact, Rejected
from events.improvement import IMPROVEMENT
from events.improvement_facts import Blocked
from events.lease import WorkClaimed
from events.store import Conflict, Unavailable
from events.swarm import SWARM, Paused
from events.target import TARGET
from services.asking.team import limits_of
from services.asking.waiting import free
from services.runtime.log import Log
from services.runtime.workbench import Workbench

EVERY_SECONDS = 60.0
AT_ONCE = 64  # aggregates read at the same time
# What makes an aggregate of a kind wait, if anything does.
BEGINNINGS: tuple[tuple[AggregateType[Any], type[Fact]], ...] = (
    (SWARM, Paused),
    (BUDGET, Exhausted),
    (IMPROVEMENT, Blocked),
    (IMPROVEMENT, WorkClaimed),
    (TARGET, WorkClaimed),
    (BATCH, WorkClaimed),
    (DEPLOYMENT, WorkClaimed),
)

log = structlog.get_logger()


class Waits(Protocol):
    """The state of an aggregate that may wait."""

    @property
    def waits(self) -> tuple[Waiting, ...]:
        """What it waits for."""
        ...

    @property
    def told(self) -> Escalated | None:
        """The wait that was told of last."""
        ...


class Lookout:
    """What one copy knows from its looks: how often each aggregate began to wait, and which of them do."""

    def __init__(self, book: Log, actor: str, limit: timedelta) -> None:
        """Know nothing yet. What waits for `limit` waits too long."""
        self._book = book
        self._actor = actor
        self._limit = limit
        self._begun: dict[tuple[str, str], Mapping[str, int]] = {}
        self._waiting: set[tuple[str, str]] = set()

    def improvements(self) -> tuple[str, ...]:
        """Return the improvements that waited for anything at the last look."""
        return tuple(id for kind, id in self._waiting if kind == IMPROVEMENT.name)

    async def look(self) -> tuple[Escalated, ...]:
        """Tell of each wait that has become too long, and return what was told."""
        told: list[Escalated] = []
        for kind, beginning in BEGINNINGS:
            key = (kind.name, beginning.name)
            counts, before = await self._book.store.tally(*key), self._begun.get(key, {})
            ids = (id for id, n in counts.items() if before.get(id) != n or (kind.name, id) in self._waiting)
            while some := tuple(islice(ids, AT_ONCE)):
                for id, state in (await self._book.states(kind, some)).items():
                    told += await self._judged(kind, id, state)
            self._begun[key] = counts  # only now: a look that is cut short is made again
        return tuple(told)

    async def _judged(self, kind: AggregateType[Any], id: str, state: Waits) -> tuple[Escalated, ...]:
        (self._waiting.add if state.waits else self._waiting.discard)((kind.name, id))
        wait = too_long(state.waits, state.told, self._limit, self._book.clock())
        if wait is None:
            return ()
        fact = wait.escalated()
        cause = Cause(actor=self._actor, source="aps/devops", correlation=str(uuid4()))
        try:
            await self._book.record(kind, id, fact, cause=cause)
        except (Rejected, Conflict) as known:
            log.info("the wait is over, or told of by another", aggregate=kind.name, id=id, why=str(known))
            return ()
        log.warning("waits too long", aggregate=kind.name, id=id, for_=fact.obstacle, blockers=fact.blockers)
        return (fact,)


async def keep_looking(bench: Workbench, every: float = EVERY_SECONDS) -> None:
    """Look until cancelled, the first time after a while: a command that is short has no time for it."""
    lookout = Lookout(bench.book, bench.actor, timedelta(hours=bench.settings.escalate_hours))
    while True:
        await asyncio.sleep(every)
        try:
            await lookout.look()
            await free(bench.book, limits_of(bench.settings), lookout.improvements(), bench.actor)
        except (Unavailable, TimeoutError) as away:
            log.info("what waits is looked for again", problem=str(away))
