"""One lease for every kind of work: who may finish it, and until when.

Rules
1. The first `work_claimed` wins; a second is refused while the lease runs.
2. After `lease_until` anybody may claim. The old holder can then neither renew nor finish.
3. The version of the `work_claimed` fact is the fencing token: finishing facts carry it as `claim`.
4. Only who knows the token renews or releases: the holder, or a person who takes the work from it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from events.fact import Fact, Rejected, Stamp, replace


class WorkClaimed(Fact):
    """An agent took a piece of work (`work` names it) until `lease_until`."""

    name: ClassVar[str] = "work_claimed"
    agent: str
    work: str
    lease_until: datetime


class WorkRenewed(Fact):
    """The holder asked for more time."""

    name: ClassVar[str] = "work_renewed"
    claim: int
    lease_until: datetime


class WorkReleased(Fact):
    """The holder gave the work back unfinished."""

    name: ClassVar[str] = "work_released"
    claim: int
    reason: str


LeaseFact = WorkClaimed | WorkRenewed | WorkReleased
LEASE_FACTS = (WorkClaimed, WorkRenewed, WorkReleased)


@dataclass(frozen=True)
class Claim:
    """A running or expired lease; `token` is what its holder must show to finish.

    `taken_over` counts the holders before this one who neither finished the work nor gave it back, `begun` is
    when the first of them claimed it.
    """

    token: int
    agent: str
    work: str
    lease_until: datetime
    begun: datetime
    taken_over: int = 0


def evolve_claim(claim: Claim | None, fact: LeaseFact, stamp: Stamp) -> Claim | None:
    """Return the lease after `fact`."""
    match fact:
        case WorkClaimed():
            lost = claim if claim is not None and claim.work == fact.work else None
            return Claim(
                stamp.version,
                fact.agent,
                fact.work,
                fact.lease_until,
                begun=lost.begun if lost else stamp.time,
                taken_over=lost.taken_over + 1 if lost else 0,
            )
        case WorkRenewed():
            assert claim is not None  # noqa: S101 -- decide admitted the renewal
            return replace(claim, lease_until=fact.lease_until)
        case WorkReleased():
            return None


def decide_lease(claim: Claim | None, fact: LeaseFact, now: datetime) -> None:
    """Admit a lease fact or raise `Rejected`."""
    match fact:
        case WorkClaimed():
            if claim is not None and now < claim.lease_until:
                raise Rejected(
                    f"{claim.work} is claimed by {claim.agent} until {claim.lease_until.isoformat()}"
                )
            if fact.lease_until <= now:
                raise Rejected("a lease must end in the future")
        case WorkRenewed() | WorkReleased():
            require_claim(claim, fact.claim, now)


def require_claim(claim: Claim | None, token: int, now: datetime) -> None:
    """Admit only the holder of a running lease; `token` is the version of its claim."""
    if claim is None or claim.token != token:
        holder = "nobody" if claim is None else claim.agent
        raise Rejected(f"the claim {token} is not the running one; the work is held by {holder}")
    if now >= claim.lease_until:
        raise Rejected(f"the lease of {claim.agent} ran out at {claim.lease_until.isoformat()}")
