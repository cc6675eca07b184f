"""Tokens: made once, shown once, and known from then on by the hash of their secret.

A token reads `aps_<id>_<secret>`. The id names the aggregate that holds its rights, so that looking one up is
one read; the secret has 256 random bits, so that a plain hash of it cannot be guessed back.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from events.access import ACCESS, Access, Granted, Revoked
from events.envelope import Cause
from events.fact import Rejected
from schemas.access import Role
from services.runtime.log import Log

ID_BYTES = 6
FIRST = "0" * 2 * ID_BYTES
SECRET_BYTES = 32
SHAPE = re.compile(r"aps_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
LIFETIME = timedelta(days=90)
LONGEST_TEXT = 128


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

    def may(self, roles: Iterable[Role], scope: str) -> bool:
        """Whether the holder has one of the roles, and the scope."""
        return self.role in roles and (not self.scopes or scope in self.scopes)


class NotLetIn(Exception):  # noqa: N818 -- what happens
    """A token is worth nothing; the message says why, `id` is that of the token, where it is one of ours."""

    def __init__(self, why: str, id: str = "") -> None:
        """Say why."""
        super().__init__(why)
        self.id = id


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
) -> Token:
    """Make a token and record what it allows."""
    token = mint()
    granted = Granted(
        title=title,
        role=role,
        secret_sha256=token.digest,
        expires_at=book.clock() + lifetime,
        scopes=scopes,
    )
    await book.record(ACCESS, token.id, granted, cause=cause)
    return token


async def first(book: Log, cause: Cause) -> Token | None:
    """Make the token of the first admin; None where that was done before, by whomever."""
    token = Token(FIRST, mint().secret)
    granted = Granted(
        title="the first start",
        role=Role.ADMIN,
        secret_sha256=token.digest,
        expires_at=book.clock() + LIFETIME,
    )
    try:
        await book.record(ACCESS, FIRST, granted, cause=cause)
    except Rejected:
        return None
    return token


async def revoke(book: Log, id: str, reason: str, cause: Cause) -> None:
    """Make a token worth nothing. Raises `Rejected` where there is none, or it was revoked already."""
    await book.record(ACCESS, id, Revoked(reason=reason), cause=cause)


async def holder_of(book: Log, text: str) -> Holder:
    """Return who holds a token. Raises `NotLetIn`, or what reading the log raises."""
    token = parsed(text)
    if token is None:
        raise NotLetIn("this is no token")
    state = await book.state(ACCESS, token.id)
    if state.granted is None or not hmac.compare_digest(state.granted.secret_sha256, token.digest):
        raise NotLetIn("there is no such token")
    return held(state, token.id, book)


async def holder_with(book: Log, id: str) -> Holder:
    """Return the holder of a token whose secret was seen before. Raises as `holder_of` does."""
    return held(await book.state(ACCESS, id), id, book)


def held(state: Access, id: str, book: Log) -> Holder:
    """Return what a token allows now. Raises `NotLetIn`."""
    if why := state.why_not(book.clock()):
        raise NotLetIn(why, id)
    assert state.granted is not None  # noqa: S101 -- a token without a grant is worth nothing
    return Holder(id, state.granted.title, state.granted.role, frozenset(state.granted.scopes))
