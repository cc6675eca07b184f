"""Tokens: granted once, worth something until they expire or are revoked, and never kept in the clear."""

from datetime import timedelta

import pytest

from events.access import ACCESS, Denied, Granted, Left, Revoked
from events.envelope import Cause
from events.memory import InMemoryArtefacts, InMemoryEventStore
from schemas.access import Role, Scope
from services.access.sessions import LIFETIME, Session, Signer
from services.access.tokens import (
    LINK_LIFETIME,
    Holder,
    LinkUsed,
    NotLetIn,
    grant,
    holder_in,
    holder_of,
    leave,
    link,
    mint,
    parsed,
    revoke,
    use_link,
)
from services.runtime.log import Log
from tests.asking_example import Time
from tests.projection_facts import START
from tests.rules import of

CAUSE = Cause(actor="cli", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")
token = of(ACCESS)
DENIED = Denied(what="GET /", why="no token", address="127.0.0.1")


def granted(days: int = 1) -> Granted:
    return Granted(
        title="a pipeline",
        role=Role.VIEWER,
        secret_sha256="0" * 64,
        expires_at=START + timedelta(days=days),
    )


def test_a_token_is_granted_once() -> None:
    token.given(granted()).when(granted()).then_rejected("already")


def test_a_token_that_has_expired_is_not_granted() -> None:
    token.when(granted(days=-1)).then_rejected("expired")


def test_only_what_was_granted_is_revoked_and_once() -> None:
    token.when(Revoked(reason="lost")).then_rejected("no such token")
    token.given(granted(), Revoked(reason="lost")).when(Revoked(reason="lost")).then_rejected("already")


def test_denials_are_counted_also_for_nobody() -> None:
    token.given(DENIED).when(DENIED.model_copy(update={"times": 3})).then(denied=4)
    token.when(DENIED.model_copy(update={"times": 0})).then_rejected("not made")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def book(time: Time) -> Log:
    return Log(InMemoryEventStore(time), InMemoryArtefacts(), time)


async def test_who_holds_a_token_may_do_what_it_was_granted_for(book: Log) -> None:
    made = await grant(book, "me", Role.OPERATOR, CAUSE, scopes=("tasks",))
    holder = await holder_of(book, made.text)
    assert holder == Holder(made.id, "me", Role.OPERATOR, frozenset({"tasks"}))
    assert holder.may({Role.OPERATOR}, "tasks")
    assert not holder.may({Role.OPERATOR}, "access")
    assert not holder.may({Role.ADMIN}, "tasks")


async def test_the_secret_is_not_on_the_log(book: Log) -> None:
    made = await grant(book, "me", Role.ADMIN, CAUSE)
    stored = b"".join([one.envelope.encode() async for one in book.store.read_all()])
    assert made.id.encode() in stored
    assert made.secret.encode() not in stored


async def test_the_id_alone_lets_nobody_in(book: Log) -> None:
    made = await grant(book, "me", Role.ADMIN, CAUSE)
    for text in (f"aps_{made.id}_{mint().secret}", mint().text, made.id, "", made.text + "x", "aps__"):
        with pytest.raises(NotLetIn):
            await holder_of(book, text)


async def test_a_token_ends_when_it_expires_or_is_revoked(book: Log, time: Time) -> None:
    short = await grant(book, "me", Role.ADMIN, CAUSE, timedelta(hours=1))
    gone = await grant(book, "me", Role.ADMIN, CAUSE)
    await revoke(book, gone.id, "lost", CAUSE)
    time.now += timedelta(hours=1)
    for made, why in ((short, "expired"), (gone, "revoked")):
        with pytest.raises(NotLetIn, match=why):
            await holder_of(book, made.text)
        with pytest.raises(NotLetIn, match=why):
            await holder_in(book, Session(made.id, 0, "nonce"))


async def test_a_link_lets_the_first_admin_in_once_and_allows_nothing_else(book: Log) -> None:
    made, second = await link(book, CAUSE), await link(book, CAUSE)
    assert made
    assert second
    holder = await holder_of(book, made.text)
    assert holder.only_enters
    assert not any(holder.may(set(Role), scope) for scope in Scope)
    id = await use_link(book, made.id, CAUSE)
    entered = await holder_in(book, Session(id, 0, "nonce"))
    assert entered.may({Role.ADMIN}, Scope.ACCESS)
    for used in (made, second):
        with pytest.raises(NotLetIn, match="used"):
            await use_link(book, used.id, CAUSE)
    with pytest.raises(LinkUsed, match="this link was used already"):
        await holder_of(book, made.text)
    assert await link(book, CAUSE) is None


async def test_a_link_that_nobody_used_is_worth_nothing_after_minutes(book: Log, time: Time) -> None:
    made = await link(book, CAUSE)
    assert made
    time.now += LINK_LIFETIME
    with pytest.raises(NotLetIn, match="expired"):
        await holder_of(book, made.text)
    assert await link(book, CAUSE)


async def test_a_session_that_was_left_is_worth_nothing_and_its_sisters_go_on(book: Log) -> None:
    made = await grant(book, "me", Role.ADMIN, CAUSE)
    until = int((START + LIFETIME).timestamp())
    left, sister = Session(made.id, until, "a-session"), Session(made.id, until, "its-sister")
    await leave(book, left, CAUSE)
    with pytest.raises(NotLetIn, match="ended"):
        await holder_in(book, left)
    assert (await holder_in(book, sister)).id == made.id


def test_a_session_is_left_once_and_forgotten_when_it_would_have_run_out() -> None:
    left = Left(session="a-session", until=START)
    later = Left(session="another-one", until=START + timedelta(days=300))
    token.when(left).then_rejected("no such token")
    token.given(granted(), later).when(later).then_rejected("left already")
    token.given(granted(), left).when(later).then(left=(later,))


def test_every_token_is_another_and_reads_back() -> None:
    made = [mint() for _ in range(50)]
    assert len({one.text for one in made}) == 50
    assert [parsed(one.text) for one in made] == made


def test_a_session_reads_back_until_it_runs_out() -> None:
    signer = Signer(b"k" * 32)
    cookie = signer.open("5f3a1c2b4d6e", START)
    session = signer.read(cookie, START)
    assert session is not None
    assert session.token == "5f3a1c2b4d6e"
    assert signer.read(cookie, START + LIFETIME) is None


@pytest.mark.parametrize("spoilt", ["", ".", "a.b", "a.1.c.d", "é.1.c.d", "x" * 10_000, "....", "a.b.c.\n"])
def test_a_session_that_we_did_not_sign_is_none(spoilt: str) -> None:
    assert Signer(b"k" * 32).read(spoilt, START) is None


def test_a_session_of_another_key_or_with_another_token_is_none() -> None:
    signer = Signer(b"k" * 32)
    cookie = signer.open("5f3a1c2b4d6e", START)
    assert Signer(b"x" * 32).read(cookie, START) is None
    assert signer.read(cookie.replace("5f3a", "6f3a"), START) is None


def test_forms_of_two_sessions_carry_other_keys() -> None:
    signer = Signer(b"k" * 32)
    first, second = (signer.read(signer.open("5f3a1c2b4d6e", START), START) for _ in range(2))
    assert first and second
    assert signer.form_key(first) != signer.form_key(second)
