"""Access: a token somebody holds, what it allows and until when, and every attempt that was denied.

Rules
1. The log holds the hash of a token's secret, never the secret.
2. A token is granted once and revoked once; its rights never change, another token is granted instead.
3. A session made of a token may be left: it is worth nothing from then on, the token is worth the same.
4. What is denied to nobody in particular is recorded on the one called `nobody`. Attempts that come in a
   flood are recorded together, with their number.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from events.fact import AggregateType, Fact, Rejected, Stamp
from schemas.access import Role

NOBODY = "nobody"


class Granted(Fact):
    """Who holds the secret may do what the role may, within the scopes (none: all of them)."""

    name: ClassVar[str] = "granted"
    title: str
    role: Role
    secret_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires_at: datetime
    scopes: tuple[str, ...] = ()


class Revoked(Fact):
    """The token is worth nothing from now on."""

    name: ClassVar[str] = "revoked"
    reason: str


class Left(Fact):
    """A session made of the token has ended before its time, which was `until`."""

    name: ClassVar[str] = "left"
    session: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    until: datetime


class Denied(Fact):
    """An attempt was refused: what was asked for, why, from which address, and how often in a row."""

    name: ClassVar[str] = "denied"
    what: str
    why: str
    address: str
    times: int = 1


AccessFact = Granted | Revoked | Left | Denied


@dataclass(frozen=True)
class Access:
    """The state of one token; `denied` counts the attempts it was refused.

    `left` holds the sessions that were left and would not have run out by then.
    """

    granted: Granted | None = None
    granted_by: str = ""
    granted_at: datetime | None = None
    revoked: Revoked | None = None
    denied: int = 0
    left: tuple[Left, ...] = ()

    def has_left(self, session: str) -> bool:
        """Whether a session was left."""
        return any(one.session == session for one in self.left)

    def why_not(self, now: datetime) -> str:
        """Return why the token is worth nothing now; empty while it is worth something."""
        if self.granted is None:
            return "there is no such token"
        if self.revoked is not None:
            return "the token was revoked"
        if now >= self.granted.expires_at:
            return f"the token expired at {self.granted.expires_at:%Y-%m-%d %H:%M} UTC"
        return ""


def evolve(state: Access, fact: AccessFact, stamp: Stamp) -> Access:
    """Return the token after `fact`."""
    match fact:
        case Granted():
            return replace(state, granted=fact, granted_by=stamp.actor, granted_at=stamp.time)
        case Revoked():
            return replace(state, revoked=fact)
        case Left():
            return replace(state, left=(*(one for one in state.left if one.until > stamp.time), fact))
        case Denied():
            return replace(state, denied=state.denied + fact.times)


def decide(state: Access, fact: AccessFact, now: datetime) -> None:
    """Admit `fact` or raise `Rejected`."""
    match fact:
        case Granted():
            _decide_granted(state, fact, now)
        case Revoked():
            _require_grant(state)
            if state.revoked is not None:
                raise Rejected("the token was revoked already")
        case Left():
            _require_grant(state)
            if state.has_left(fact.session):
                raise Rejected("the session was left already")
        case Denied():
            if fact.times < 1:
                raise Rejected("an attempt that was not made cannot be denied")


def _decide_granted(state: Access, fact: Granted, now: datetime) -> None:
    if state.granted is not None:
        raise Rejected("the token was granted already")
    if fact.expires_at <= now:
        raise Rejected("the token would have expired before it is granted")


def _require_grant(state: Access) -> None:
    if state.granted is None:
        raise Rejected("there is no such token")


ACCESS = AggregateType("access", (Granted, Revoked, Left, Denied), Access(), evolve, decide)
