"""Tokens by the API: made and shown once, listed, revoked."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from pydantic import AfterValidator, Field

from events.access import ACCESS, Revoked
from events.envelope import Cause
from events.fact import Rejected
from projections.views.access import AccessRow
from schemas.access import Role, Scope
from schemas.base import Frozen
from services.access.titles import fit_title
from services.access.tokens import ID_BYTES, grant
from services.gateway.api.reading import position, seq_of
from services.gateway.granting import refuse_beyond
from services.gateway.http.commands import (
    ONCE,
    ONCE_AS_SEEN,
    PROBLEMS,
    Accepted,
    Why,
    because,
    cause_of,
    done_before,
    record,
    replayed,
)
from services.gateway.http.lists import Order, Page, Paged, page_of, time_key
from services.gateway.http.problems import Problem
from services.gateway.http.route import GOVERNING, Call, Reply, Route

PATH = "/api/tokens"
BY_GRANT = Order[AccessRow]("tokens", (str, str), lambda row: (time_key(row.granted_at), row.id))
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"


class Wanted(Frozen):
    """What a token is to allow; no scopes are all of them."""

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE), AfterValidator(fit_title)]
    role: Role
    days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 90
    scopes: tuple[Scope, ...] = ()


class Made(Frozen):
    """A token as it is shown once."""

    id: str
    token: str


async def create(call: Call) -> Reply:
    """Grant a token; its text is in this answer and nowhere else.

    One key makes one token: the id is the key's, so that a second is refused by the first.
    """
    wanted: Wanted = call.body
    await refuse_beyond(call, wanted.scopes)
    cause = cause_of(call)
    id = cause.event.replace("-", "")[: 2 * ID_BYTES]
    await _refuse_made(call, id, cause)
    try:
        token = await grant(
            call.desk.book,
            wanted.title,
            wanted.role,
            cause,
            timedelta(days=wanted.days),
            tuple(dict.fromkeys(wanted.scopes)),
            id,
        )
    except Rejected:
        await _refuse_made(call, id, cause)  # by the same request, which was faster
        raise
    return Reply(Made(id=token.id, token=token.text), HTTPStatus.CREATED, {"Location": PATH})


async def _refuse_made(call: Call, id: str, cause: Cause) -> None:
    """Refuse a key that a token was made with: it cannot be shown again. Raises `Problem`."""
    made = await done_before(call, ACCESS, id, cause)
    if made is None:
        return
    told = (
        f"token {id} was made with this Idempotency-Key at {made.time}; its text was shown then and is"
        f" kept nowhere: if you do not have it, revoke it (POST {PATH}/{id}/revoke) and make a new one"
    )
    raise Problem(HTTPStatus.CONFLICT, told, headers={"Location": PATH, **replayed(repeated=True)})


async def list_tokens(call: Call) -> Reply:
    """Answer tokens, those granted first before others; never their secrets."""
    seq = await seq_of(call)
    rows = await call.desk.views.access(seq)
    return Reply(page_of(rows, BY_GRANT, call.query, await position(call, seq)))


async def take_away(call: Call) -> Reply:
    """Make a token worth nothing."""
    return await record(call, ACCESS, call.named("id"), Revoked(reason=because(call, "revoked")), PATH)


ROUTES = (
    Route(
        "GET",
        PATH,
        list_tokens,
        GOVERNING,
        Scope.ACCESS,
        "List tokens",
        query=Paged,
        answers={HTTPStatus.OK: Page[AccessRow]},
        conditional=True,
    ),
    Route(
        "POST",
        PATH,
        create,
        GOVERNING,
        Scope.ACCESS,
        "Make a token",
        body=Wanted,
        headers=ONCE,
        answers={HTTPStatus.CREATED: Made},
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "POST",
        f"{PATH}/{{id}}/revoke",
        take_away,
        GOVERNING,
        Scope.ACCESS,
        "Revoke a token",
        body=Why,
        headers=ONCE_AS_SEEN,
        answers={HTTPStatus.ACCEPTED: Accepted},
        problems=PROBLEMS,
    ),
)
