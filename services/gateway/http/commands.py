"""What all commands share: the version they were given for, being sent twice, and what is answered.

Rules
1. `If-Match` holds the version that was looked at: where the aggregate has moved on, 412 and nothing happens.
2. `Idempotency-Key` makes a repeated request the same request: it is answered as the first, says so, and
   records nothing. The key is kept in the log, as the cause of what was recorded: it holds across restarts.
3. A key that comes again with another body is another command, and is refused: 422, never a yes. What tells
   bodies apart is the chain of what was recorded, which is named by key and body.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import NAMESPACE_URL, uuid4, uuid5

from pydantic import Field

from events.envelope import Cause, Envelope
from events.fact import AggregateType, Fact, Rejected
from events.store import Conflict, Position
from schemas.base import Frozen
from services.gateway.http.problems import Problem
from services.gateway.http.route import IDEMPOTENCY_KEY, IF_MATCH, LONGEST_KEY, Call, Reply
from services.gateway.http.who import who
from services.runtime.log import Change, Loaded

StateT = TypeVar("StateT")
SHOWN = 100
REPLAYED = "Idempotent-Replayed"
PROBLEMS = (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
ONCE = (IDEMPOTENCY_KEY,)
ONCE_AS_SEEN = (IDEMPOTENCY_KEY, IF_MATCH)


class Why(Frozen):
    """Why it is done; it is kept in the log."""

    reason: str = Field(default="", max_length=2000)


class Accepted(Frozen):
    """What was recorded: the aggregate, its version now, and where to see what comes of it."""

    aggregate: str
    id: str
    version: int
    see: str
    repeated: Annotated[bool, Field(description="It was done before, under this Idempotency-Key.")] = False


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

    Raises `Problem`, which tells what happened where somebody else was faster.
    """
    found = await loaded(call, kind, id, first=first)
    cause = cause_of(call)
    if before := await done_before(call, kind, id, cause):
        return _accepted(kind, id, before.sequence, see, repeated=True)
    require_match(call, found.position.version, see)
    try:
        wanted = fact if isinstance(fact, Fact) else fact(found)
    except Problem as problem:
        problem.see = problem.see or see
        raise
    try:
        (position,) = await call.desk.book.record_on([(Change(kind, id, (wanted,)), found)], cause)
    except Rejected as refused:
        told = refusal(found.state, wanted, refused) if refusal else str(refused)
        raise Problem(HTTPStatus.CONFLICT, f"{id} {told}" if refusal else told, see=see) from refused
    except Conflict as faster:
        if before := await done_before(call, kind, id, cause):
            return _accepted(kind, id, before.sequence, see, repeated=True)
        raise await _overtaken(call, kind, id, found, see) from faster
    return _accepted(kind, id, position.version, see)


async def _overtaken(
    call: Call, kind: AggregateType[StateT], id: str, found: Loaded[StateT], see: str
) -> Problem:
    """Return the refusal of what was decided on a state that somebody has changed since."""
    book = call.desk.book
    events, _ = await book.store.read(kind.name, id)
    since = [one.envelope for one in events[found.position.version :]]
    done = [f"{told_as(one)} by {await who(book, one.actor)}" for one in since]
    what = f"{', then '.join(done)} a moment ago" if done else "it is another by now"
    told = f"{id}: somebody was faster: {what}; look at {see} and decide again"
    return Problem(HTTPStatus.CONFLICT, told, see=see)


def cause_of(call: Call) -> Cause:
    """Return the cause of what a call records; the key it was sent with, if any, is its event."""
    key = key_of(call)
    if not key:
        return call.desk.cause(call.holder, str(uuid4()))
    holder = call.holder.id if call.holder else ""
    named = uuid5(NAMESPACE_URL, f"{holder} {call.request.method} {call.request.path} {key}")
    return call.desk.cause(call.holder, str(uuid5(named, call.body.model_dump_json())), str(named))


def key_of(call: Call) -> str:
    """Return the key that a call was sent with, empty for none. Raises `Problem` for what is none."""
    key = call.request.headers.get(IDEMPOTENCY_KEY.name, "")
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        told = f"an Idempotency-Key has {LONGEST_KEY} printable ASCII characters at most"
        raise Problem(HTTPStatus.BAD_REQUEST, told)
    return key


def require_match(call: Call, version: int, see: str) -> None:
    """Refuse what was decided on another version than stands. Raises `Problem`."""
    given = call.request.headers.get(IF_MATCH.name, "").strip()
    if given not in ("", "*", f'"{version}"'):
        raise Problem(
            HTTPStatus.PRECONDITION_FAILED,
            f"it stands at version {version} now, and was looked at as {given[:40]!a}: look again",
            headers={"ETag": f'"{version}"'},
            see=see,
        )


def because(call: Call, what: str) -> str:
    """Return the reason that was given, or who did it."""
    reason: str = call.body.reason
    who = call.holder.title or call.holder.id if call.holder else "somebody"
    return reason.strip() or f"{what} by {who} through the gateway"


async def done_before(call: Call, kind: AggregateType[Any], id: str, cause: Cause) -> Envelope | None:
    """Return what was recorded on an aggregate under the key of a call before, None for nothing.

    Raises `Problem` where the key was sent with another body then.
    """
    if not cause.event:
        return None
    events, _ = await call.desk.book.store.read(kind.name, id)
    before = next((one.envelope for one in events if one.envelope.causationid == cause.event), None)
    if before is not None and before.correlationid != cause.correlation:
        what = f"{told_as(before)} ({kind.name} {id}, version {before.sequence}, {before.time})"
        raise key_reused(what, _differing(before.data, call.body.model_dump(mode="json")))
    return before


def key_reused(before: str, differing: tuple[str, ...] = ()) -> Problem:
    """Return the refusal of a key that did something else `before`."""
    told = f"this Idempotency-Key was sent with another body before: {before}; give each command its own key"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=differing)


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which fields that were given are other than what was recorded under the same name."""
    return tuple(
        f"{name}: {repr(then[name])[:SHOWN]} then, {repr(given)[:SHOWN]} now"
        for name, given in now.items()
        if given != "" and name in then and then[name] != given and not isinstance(then[name], dict)
    )


def told_as(event: Envelope) -> str:
    """Return what an event says happened, in words."""
    return event.address.fact.replace("_", " ")


def replayed(*, repeated: bool) -> dict[str, str]:
    """Return the header by which an answer says that what it tells of was done before."""
    return {REPLAYED: "true"} if repeated else {}


def _accepted(kind: AggregateType[Any], id: str, version: int, see: str, *, repeated: bool = False) -> Reply:
    value = Accepted(aggregate=kind.name, id=id, version=version, see=see, repeated=repeated)
    headers = {"Location": see, "ETag": f'"{version}"', **replayed(repeated=repeated)}
    return Reply(value, HTTPStatus.ACCEPTED, headers)
