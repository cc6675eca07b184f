"""Holds a piece of work while an agent does it: claim, renew in the background, give back on failure.

While the swarm is paused nothing is claimed but `ROLLBACK`: taking a change back begins nothing new.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from events.envelope import Cause
from events.fact import AggregateType, Rejected
from events.lease import WorkClaimed, WorkReleased, WorkRenewed
from events.swarm import ALL, SWARM
from services.runtime.log import Log

log = structlog.get_logger()

ROLLBACK = "rollback"
HALTED_SECONDS = 5.0


class Later(Exception):  # noqa: N818 -- what the agent answers
    """The work cannot be done now; the event is delivered again after `seconds`."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Halted(Later):
    """The swarm is paused: no new work begins."""

    def __init__(self, reason: str) -> None:
        super().__init__(HALTED_SECONDS, reason)


async def why_paused(book: Log) -> str:
    """Return why the swarm is paused, and what lets it go on; empty while it is not."""
    paused = (await book.state(SWARM, ALL)).paused
    return f"everything is paused ({paused.reason}); go on with: aps resume" if paused else ""


@dataclass(frozen=True)
class Held:
    """A claim that is being held. `token` goes into the finishing fact."""

    token: int


@asynccontextmanager
async def claim(
    book: Log,
    kind: AggregateType[Any],
    id: str,
    work: str,
    cause: Cause,
    lease_seconds: float,
) -> AsyncIterator[Held]:
    """Claim `work` on an aggregate for the time of the block, renewing the lease at a third of its length.

    Raises `Later` when another agent holds it, `Halted` while the swarm is paused. At the end the claim is
    given back, unless the finishing fact has cleared it.
    """
    if work != ROLLBACK and (paused := await why_paused(book)):
        raise Halted(paused)
    now = book.clock()
    claimed = WorkClaimed(agent=cause.actor, work=work, lease_until=now + timedelta(seconds=lease_seconds))
    try:
        position = await book.record(kind, id, claimed, cause=cause)
    except Rejected as held:
        running = (await book.state(kind, id)).claim
        left = (running.lease_until - now).total_seconds() if running else 0.0
        raise Later(max(0.1, left + 0.1), str(held)) from held
    token = position.version
    renewals = asyncio.create_task(_renew(book, kind, id, token, cause, lease_seconds))
    try:
        yield Held(token)
    except BaseException as failure:
        await asyncio.shield(_release(book, kind, id, token, cause, str(failure) or type(failure).__name__))
        raise
    else:
        running = (await book.state(kind, id)).claim
        if running is not None and running.token == token:
            await _release(book, kind, id, token, cause, "done")
    finally:
        renewals.cancel()
        with suppress(asyncio.CancelledError):
            await renewals


async def _renew(
    book: Log,
    kind: AggregateType[Any],
    id: str,
    token: int,
    cause: Cause,
    lease_seconds: float,
) -> None:
    while True:
        await asyncio.sleep(lease_seconds / 3)
        until = book.clock() + timedelta(seconds=lease_seconds)
        try:
            await book.record(kind, id, WorkRenewed(claim=token, lease_until=until), cause=cause)
        except Rejected as lost:
            log.warning("lease lost", aggregate=kind.name, id=id, reason=str(lost))
            return
        except Exception as problem:  # noqa: BLE001 -- the log may be away: the next renewal tries again
            log.warning("lease not renewed", aggregate=kind.name, id=id, problem=str(problem))


async def _release(
    book: Log,
    kind: AggregateType[Any],
    id: str,
    token: int,
    cause: Cause,
    reason: str,
) -> None:
    try:
        await book.record(kind, id, WorkReleased(claim=token, reason=reason[:500]), cause=cause)
    except Exception as problem:  # noqa: BLE001 -- the lease runs out by itself; the first failure is what matters
        log.info("claim not released", aggregate=kind.name, id=id, problem=str(problem))
