"""What all commands share: the version they were given for, being sent twice, and what is answered.

Rules
1. `If-Match` holds the version that was looked at: where the aggregate has moved on, 412 and nothing happens.
2. `Idempotency-Key` makes a repeated request the same request: it is answered as the first, and records
   nothing. The key is kept in the log, as the cause of what was recorded, so it holds across restarts.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import Field

from events.envelope import Cause
from events.fact import AggregateType, Fact, Rejected
from events.store import Position
from schemas.base import Frozen
from services.gateway.http.problems import Problem
from services.gateway.http.route import Call, Reply
from services.runtime.log import Change, Loaded

StateT = TypeVar("StateT")
LONGEST_KEY = 200
PROBLEMS = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.BAD_REQUEST)


class Why(Frozen):
    """Why it is done; it is kept in the log."""

    reason: str = Field(default="", max_length=2000)


class Accepted(Frozen):
    """What was recorded: the aggregate, its version now, and where to see what comes of it."""

    aggregate: str
    id: str
    version: int
    see: str


async def loaded(call: Call, kind: AggregateType[StateT], id: str, *, first: bool = False) -> Loaded[StateT]:
    """Return an aggregate that has events, or may be given its `first`. Raises `Problem`."""
    try:
        found = await call.desk.book.load(kind, id)
    except ValueError:  # no subject token, so no aggregate has this id
        found = Loaded(kind.initial, Position())
    if not (found.position.version or first):
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no {kind.name} {id[:80]!r}")
    return found


async def record(
    call: Call,
    kind: AggregateType[StateT],
    id: str,
    fact: Fact | Callable[[Loaded[StateT]], Fact],
    see: str,
    refusal: Callable[[StateT, Fact, Rejected], str] | None = None,
    *,
    first: bool = False,
) -> Reply:
    """Record one fact, or what is made of the state that is found, on an aggregate, once.

    `refusal` says why the rules refuse it.

    Raises `Problem`, or `Conflict` where somebody else was faster.
    """
    found = await loaded(call, kind, id, first=first)
    cause = cause_of(call)
    if cause.event and await was_done(call, kind, id, cause.event):
        return _accepted(kind, id, found.position.version, see)
    require_match(call, found.position.version)
    wanted = fact if isinstance(fact, Fact) else fact(found)
    try:
        (position,) = await call.desk.book.record_on([(Change(kind, id, (wanted,)), found)], cause)
    except Rejected as refused:
        told = refusal(found.state, wanted, refused) if refusal else str(refused)
        raise Problem(HTTPStatus.CONFLICT, f"{id} {told}" if refusal else told) from refused
    return _accepted(kind, id, position.version, see)


def cause_of(call: Call) -> Cause:
    """Return the cause of what a call records; the key it was sent with, if any, is its event."""
    key = call.request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY:
        raise Problem(HTTPStatus.BAD_REQUEST, f"an Idempotency-Key has {LONGEST_KEY} characters at most")
    if not key:
        return call.desk.cause(call.holder, str(uuid4()))
    holder = call.holder.id if call.holder else ""
    named = str(uuid5(NAMESPACE_URL, f"{holder} {call.request.method} {call.request.path} {key}"))
    return call.desk.cause(call.holder, named, named)


def require_match(call: Call, version: int) -> None:
    """Refuse what was decided on another version than stands. Raises `Problem`."""
    given = call.request.headers.get("If-Match", "").strip()
    if given not in ("", "*", f'"{version}"'):
        raise Problem(
            HTTPStatus.PRECONDITION_FAILED,
            f"it stands at version {version} now, and was looked at as {given[:40]}: look again",
            headers={"ETag": f'"{version}"'},
        )


def because(call: Call, what: str) -> str:
    """Return the reason that was given, or who did it."""
    reason: str = call.body.reason
    who = call.holder.title or call.holder.id if call.holder else "somebody"
    return reason.strip() or f"{what} by {who} through the gateway"


async def was_done(call: Call, kind: AggregateType[Any], id: str, key: str) -> bool:
    """Whether something was recorded on an aggregate under a key already."""
    events, _ = await call.desk.book.store.read(kind.name, id)
    return any(event.envelope.causationid == key for event in events)


def _accepted(kind: AggregateType[Any], id: str, version: int, see: str) -> Reply:
    value = Accepted(aggregate=kind.name, id=id, version=version, see=see)
    return Reply(value, HTTPStatus.ACCEPTED, {"Location": see, "ETag": f'"{version}"'})
