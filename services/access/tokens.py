"""Tokens: made once, shown once, and known from then on by the hash of their secret.

A token reads `aps_<id>_<secret>`. The id names the aggregate that holds its rights, so that looking one up is
one read; the secret has 256 random bits, so that a plain hash of it cannot be guessed back.

The link by which the first admin enters carries a token whose only scope is entering, which is no part of the
system: it lasts for minutes, allows nothing but to enter, and is revoked with that.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.access import ACCESS, Access, Granted, Left, Revoked
from events.envelope import Cause
from events.fact import Rejected
from schemas.access import Role
from services.access.sessions import LIFETIME as SESSION_LIFETIME
from services.access.sessions import Session
from services.runtime.log import Change, Log

ID_BYTES = 6
FIRST = "0" * 2 * ID_BYTES
SECRET_BYTES = 32
SHAPE = re.compile(r"aps_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
LIFETIME = timedelta(days=90)
LINK_LIFETIME = timedelta(minutes=15)
ENTERING = "entering"
ANY_SCOPE = ""  # of what is open to whoever may see anything
USED = "used"
LONGEST_TEXT = 128
NO_SUCH = "there is no such token"


@dataclass(frozen=True)
class Token:
    """A token as its holder has it."""

    id: str
    secret: str

    @property
    def text(self) -> str:
        """What is shown once, and sent with every request."""
        return f"aps_{self.id}_{self.secret}"

    @property
    def digest(self) -> str:
        """What the log holds of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


@dataclass(frozen=True)
class Holder:
    """Who sends a request: the token's id and title, and what it allows. No scopes are all scopes."""

    id: str
    title: str
    role: Role
    scopes: frozenset[str] = frozenset()

    @property
    def only_enters(self) -> bool:
        """Whether the token is that of a link."""
        return self.scopes == {ENTERING}

    def may(self, roles: Iterable[Role], scope: str) -> bool:
        """Whether the holder has one of the roles, and the scope; `ANY_SCOPE` takes whichever they have."""
        in_scope = not self.scopes or (not self.only_enters if scope == ANY_SCOPE else scope in self.scopes)
        return self.role in roles and in_scope


class NotLetIn(Exception):  # noqa: N818 -- what happens
    """A token is worth nothing; the message says why, `id` is that of the token, where it is one of ours."""

    def __init__(self, why: str, id: str = "") -> None:
        """Say why."""
        super().__init__(why)
        self.id = id


class LinkUsed(NotLetIn):
    """A link was used before, or another in its place."""

    def __init__(self, id: str) -> None:
        """Say so."""
        super().__init__("this link was used already", id)


def beyond(maker: Holder, scopes: Collection[str]) -> str:
    """Return why a holder may not make a token of these scopes, none being all; empty where they may."""
    if not maker.scopes or (scopes and maker.scopes.issuperset(scopes)):
        return ""
    own = ", ".join(sorted(maker.scopes))
    return f"the token is narrowed to {own}: it makes only tokens narrowed to some of that"


def mint() -> Token:
    """Make a token that nobody else has."""
    return Token(secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES))


def parsed(text: str) -> Token | None:
    """Read a token; None where the text is none."""
    found = SHAPE.fullmatch(text) if len(text) <= LONGEST_TEXT else None
    return Token(found[1], found[2]) if found else None


async def grant(
    book: Log,
    title: str,
    role: Role,
    cause: Cause,
    lifetime: timedelta = LIFETIME,
    scopes: tuple[str, ...] = (),
    id: str = "",
) -> Token:
    """Make a token, with an `id` that is given or one of its own, and record what it allows.

    Raises `Rejected` where there is one of that id.
    """
    token = mint()
    token = Token(id or token.id, token.secret)
    granted = Granted(
        title=title,
        role=role,
        secret_sha256=token.digest,
        expires_at=book.clock() + lifetime,
        scopes=scopes,
    )
    await book.record(ACCESS, token.id, granted, cause=cause)
    return token


async def link(book: Log, cause: Cause) -> Token | None:
    """Make the token of a link for the first admin; None where one has entered by such a link."""
    if (await book.state(ACCESS, FIRST)).granted is not None:
        return None
    return await grant(book, "a link for the first admin", Role.ADMIN, cause, LINK_LIFETIME, (ENTERING,))


async def use_link(book: Log, id: str, cause: Cause) -> str:
    """Revoke the token of a link; return the id of the first admin's, granted in its place for one session.

    Raises `LinkUsed` where this link or another was used before.
    """
    granted = Granted(
        title="the first admin",
        role=Role.ADMIN,
        secret_sha256=mint().digest,  # of a secret that nobody has: the session alone stands for the token
        expires_at=book.clock() + SESSION_LIFETIME,
    )
    used = Change(ACCESS, id, (Revoked(reason=USED),))
    try:
        await book.record_all([used, Change(ACCESS, FIRST, (granted,))], cause)
    except Rejected as refused:
        raise LinkUsed(id) from refused
    return FIRST


async def revoke(book: Log, id: str, reason: str, cause: Cause) -> None:
    """Make a token worth nothing. Raises `Rejected` where there is none, or it was revoked already."""
    await book.record(ACCESS, id, Revoked(reason=reason), cause=cause)


async def holder_of(book: Log, text: str) -> Holder:
    """Return who holds a token. Raises `NotLetIn`, or what reading the log raises."""
    token = parsed(text)
    if token is None:
        raise NotLetIn("this is no token")
    state = await book.state(ACCESS, token.id)
    if state.granted is None:
        raise NotLetIn(NO_SUCH)
    if not hmac.compare_digest(state.granted.secret_sha256, token.digest):
        raise NotLetIn(NO_SUCH, token.id)  # told on the token that was attacked, and not to whom it was
    return held(state, token.id, book)


async def holder_in(book: Log, session: Session) -> Holder:
    """Return the holder of the token that a session stands for. Raises as `holder_of` does."""
    state = await book.state(ACCESS, session.token)
    if state.has_left(session.nonce):
        raise NotLetIn("the session has ended", session.token)
    return held(state, session.token, book)


async def leave(book: Log, session: Session, cause: Cause) -> None:
    """End a session for everybody who has its cookie. Raises `Rejected` where it was left already."""
    until = datetime.fromtimestamp(session.expires, UTC)
    await book.record(ACCESS, session.token, Left(session=session.nonce, until=until), cause=cause)


def held(state: Access, id: str, book: Log) -> Holder:
    """Return what a token allows now. Raises `NotLetIn`."""
    if state.granted and state.granted.scopes == (ENTERING,) and state.revoked == Revoked(reason=USED):
        raise LinkUsed(id)
    if why := state.why_not(book.clock()):
        raise NotLetIn(why, id)
    assert state.granted is not None  # noqa: S101 -- a token without a grant is worth nothing
    return Holder(id, state.granted.title, state.granted.role, frozenset(state.granted.scopes))
