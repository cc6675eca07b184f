"""The work of agents from outside: which is open to them, and what they may do with what they claimed.

Rules
1. Open is the writing of a change that somebody asked for in words, while nobody holds it: the Developer's
   own work, claimed by the same lease. A rule's fix is made by its recipe alone.
2. A claim belongs to the agent that made it: another one's is refused as if it were lost.
3. What an agent delivers is recorded as delivered and no more; see `services/developer/delivered.py`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from events.agent import AGENT, Left, OutsideAgent, Progressed, WorkTaken
from events.envelope import Cause
from events.fact import Fact, Rejected
from events.improvement import IMPROVEMENT, MAX_ATTEMPTS, Improvement
from events.improvement_facts import ChangeDelivered
from events.lease import Claim, WorkClaimed, WorkReleased, WorkRenewed, require_claim
from events.store import Conflict
from schemas.artefacts import ArtefactRef
from schemas.improvement import Status
from services.runtime.claims import why_paused
from services.runtime.log import Change, Loaded, Log

REQUEST = "request"
WORK = "implementation"
TRIES = 5


def name_of(agent: str) -> str:
    """Return how an agent is named where it claims."""
    return f"outside/{agent}"


def why_closed(state: Improvement, now: datetime) -> str:
    """Say why the work of an improvement is not open to agents from outside; empty where it is."""
    if state.discovered is None or state.discovered.source != REQUEST:
        return "no change was asked for in words there"
    if state.status is not Status.ARCHITECTURE_COMPLETE:
        return "no change is to be written there now"
    if state.delivered is not None:
        return "what was delivered for it is being looked at"
    if state.refusals and (state.refusals[-1].nothing_left or len(state.refusals) >= MAX_ATTEMPTS):
        return "it was refused too often"
    if state.claim is not None and now < state.claim.lease_until:
        return f"{state.claim.agent} has claimed it until {state.claim.lease_until.isoformat()}"
    return ""


def claim_of(state: Improvement, agent: str, token: int, now: datetime) -> Claim:
    """Return the running claim of an agent. Raises `Rejected` where it has none of that token."""
    require_claim(state.claim, token, now)
    claim = state.claim
    assert claim is not None  # noqa: S101 -- admitted
    if claim.agent != name_of(agent):
        raise Rejected(f"the claim {token} is not yours: the work is held by {claim.agent}")
    return claim


async def take(book: Log, agent: str, id: str, lease: timedelta, cause: Cause) -> int:
    """Claim an improvement's work for an agent; return the token.

    Raises `Rejected` where it is not open, or the agent holds as much as it can.
    """
    if paused := await why_paused(book):
        raise Rejected(paused)
    for attempt in range(TRIES):
        found, own = await book.load(IMPROVEMENT, id), await book.load(AGENT, agent)
        now = book.clock()
        if closed := why_closed(found.state, now):
            raise Rejected(f"{id}: {closed}")
        holding = (*await held_by(book, agent, own.state), id)
        claimed = WorkClaimed(agent=name_of(agent), work=WORK, lease_until=now + lease)
        taken = WorkTaken(improvement=id, holding=holding)
        changes: list[tuple[Change, Loaded[Any]]] = [
            (Change(IMPROVEMENT, id, (claimed,)), found),
            (Change(AGENT, agent, (taken,)), own),
        ]
        try:
            return (await book.record_on(changes, cause))[0].version
        except Conflict:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def held_by(book: Log, agent: str, state: OutsideAgent) -> tuple[str, ...]:
    """Return which of what an agent claimed it still holds."""
    now, states = book.clock(), await book.states(IMPROVEMENT, state.holding)
    return tuple(id for id, one in states.items() if is_held(one, agent, now))


def is_held(state: Improvement, agent: str, now: datetime) -> bool:
    """Whether an agent holds the work of an improvement."""
    claim = state.claim
    return claim is not None and claim.agent == name_of(agent) and now < claim.lease_until


async def renew(book: Log, agent: str, id: str, token: int, lease: timedelta, cause: Cause) -> datetime:
    """Ask for more time; return until when. Raises `Rejected` where the claim is lost."""
    until = book.clock() + lease
    await _record(book, agent, id, token, WorkRenewed(claim=token, lease_until=until), cause)
    return until


async def progress(book: Log, agent: str, told: Progressed, cause: Cause) -> None:
    """Keep how far an agent says that it is. Raises `Rejected` where the claim is lost."""
    claim_of(await book.state(IMPROVEMENT, told.improvement), agent, told.claim, book.clock())
    await book.record(AGENT, agent, told, cause=cause)


async def give_back(book: Log, agent: str, id: str, token: int, reason: str, cause: Cause) -> None:
    """Give work back unfinished. Raises `Rejected` where the claim is lost."""
    await _record(book, agent, id, token, WorkReleased(claim=token, reason=reason), cause)


async def deliver(
    book: Log,
    agent: str,
    id: str,
    token: int,
    patch: ArtefactRef,
    summary: str,
    proofs: Mapping[str, tuple[str, ...]],
    cause: Cause,
) -> int:
    """Record what an agent wrote, which ends its claim; return the version. Raises `Rejected`."""
    fact = ChangeDelivered(
        claim=token, agent=name_of(agent), patch=patch, summary=summary, proofs=dict(proofs)
    )
    return await _record(book, agent, id, token, fact, cause)


async def leave(book: Log, agent: str, reason: str, cause: Cause) -> None:
    """End an agent's registration; what it still holds is given back with it. Raises `Rejected`."""
    state = await book.state(AGENT, agent)
    changes = [Change(AGENT, agent, (Left(reason=reason),))]
    for id in await held_by(book, agent, state):
        claim = (await book.state(IMPROVEMENT, id)).claim
        if claim is not None:
            changes.append(Change(IMPROVEMENT, id, (WorkReleased(claim=claim.token, reason=reason),)))
    await book.record_all(changes, cause)


async def _record(book: Log, agent: str, id: str, token: int, fact: Fact, cause: Cause) -> int:
    found: Loaded[Improvement] = await book.load(IMPROVEMENT, id)
    claim_of(found.state, agent, token, book.clock())
    (position,) = await book.record_on([(Change(IMPROVEMENT, id, (fact,)), found)], cause)
    return position.version
