"""Escalation: work that waited too long, for what, and who or what can end it.

Rules
1. What waits is read from the state of its aggregate: `Waiting` says since when. A wait that is over is not
   escalated, and one that is escalated is known.
2. A wait is the same as long as its cause and its beginning are: it is escalated once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from events.fact import Fact, Rejected
from events.lease import Claim
from schemas.obstacle import Obstacle


class Escalated(Fact):
    """Work has waited since a time and nobody ended it. `blockers` are who or what can."""

    name: ClassVar[str] = "escalated"
    obstacle: Obstacle
    since: datetime
    reason: str
    blockers: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """What an aggregate waits for, since when, who or what can end it, and when it `ends` by itself."""

    obstacle: Obstacle
    since: datetime
    reason: str
    blockers: tuple[str, ...]
    ends: datetime | None = None

    def escalated(self) -> Escalated:
        """Return the fact that tells of it."""
        return Escalated(obstacle=self.obstacle, since=self.since, reason=self.reason, blockers=self.blockers)

    def is_told_by(self, known: Escalated | None) -> bool:
        """Whether that fact tells of this wait."""
        return known is not None and (known.obstacle, known.since) == (self.obstacle, self.since)


def waiting_of(claim: Claim | None) -> Waiting | None:
    """Return what a lease keeps waiting: work whose holders die one after another, or that nobody took over.

    A lease that runs keeps waiting from its end on: no wait is as old as that before it ran out.
    """
    if claim is None:
        return None
    if claim.taken_over:
        told = f"{claim.work} was claimed {claim.taken_over + 1} times and never finished or given back"
        return Waiting(Obstacle.CLAIM, claim.begun, told, (claim.agent,))
    told = f"{claim.agent} claimed {claim.work} and was not heard of again"
    return Waiting(Obstacle.CLAIM, claim.lease_until, told, (claim.agent,))


@dataclass(frozen=True)
class Leased:
    """The part of a state that tells who holds its work, and whether that waits too long."""

    claim: Claim | None = None
    told: Escalated | None = None

    @property
    def waits(self) -> tuple[Waiting, ...]:
        """What it waits for: whoever holds its work."""
        held = waiting_of(self.claim)
        return (held,) if held else ()

    @property
    def escalated(self) -> Escalated | None:
        """That it waits too long, as long as it does."""
        return mark(self.waits, self.told)


def too_long(
    waits: Sequence[Waiting], known: Escalated | None, limit: timedelta, now: datetime
) -> Waiting | None:
    """Return a wait that has lasted `limit`, goes on, and is not known."""
    for wait in waits:
        goes_on = wait.ends is None or now < wait.ends
        if goes_on and now - wait.since >= limit and not wait.is_told_by(known):
            return wait
    return None


def mark(waits: Sequence[Waiting], known: Escalated | None) -> Escalated | None:
    """Return the fact that tells of a wait which is not over."""
    return known if any(wait.is_told_by(known) for wait in waits) else None


def decide_escalation(
    waits: Sequence[Waiting], known: Escalated | None, fact: Escalated, now: datetime
) -> None:
    """Admit the fact or raise `Rejected`."""
    if not any(wait.is_told_by(fact) for wait in waits):
        raise Rejected("nothing has waited so since then")
    if fact.since > now:
        raise Rejected("what has not begun has not waited too long")
    if any(wait.is_told_by(known) and wait.is_told_by(fact) for wait in waits):
        raise Rejected("it is known that this waits")
