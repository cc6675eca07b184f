"""What people ask for of a known target: a look for improvements, or a change in their own words.

Rules
1. Only a registered target can be asked about: nobody names a new place on this machine from outside.
2. The roles find out whether an engine can be asked; what became of a request is told at its own address.
3. Sent again with its `Idempotency-Key`, a request is answered as the first; another one with that key is not
   taken.
"""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from events.fact import Rejected
from events.improvement import IMPROVEMENT
from events.target import TARGET, Registered, Scan, Target
from schemas.access import Scope
from schemas.base import Frozen
from schemas.context import ContextKind
from schemas.improvement import Status
from services.asking.context import BYTES, MOST, Handed
from services.cycle.requesting import Asked, Place, Wish, ask_because, place_of
from services.cycle.wording import LONGEST, why_unfit
from services.gateway.http.commands import ONCE, cause_of, key_reused, loaded, replayed
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, LOOKING, Call, Reply, Route
from services.runtime.log import NoSecret
from services.vault.keyring import KeyDeleted, WrongSecret
from services.workspace.checkout import Workspace
from services.workspace.target import TargetProblem

PATH = "/api/requests"


class HandedOver(Frozen):
    """A text that others wrote and that explains the request; nothing in it counts as the asker's words."""

    kind: ContextKind = ContextKind.DOCUMENT
    where: Annotated[str, Field(min_length=1, max_length=300, description="Its address or its name.")]
    text: Annotated[str, Field(min_length=1, max_length=BYTES)]

    @field_validator("text")
    @classmethod
    def _is_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("it is empty: hand over what explains the request, or leave it out")
        if len(text.encode()) > BYTES:
            raise ValueError(f"it has more than {BYTES} bytes: hand over the part that explains the request")
        return text


class Request(Frozen):
    """What should be better, and where: a target's id, its path, or what it was registered from."""

    target: Annotated[str, Field(min_length=1, max_length=4000)]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    context: Annotated[tuple[HandedOver, ...], Field(max_length=MOST)] = ()
    engine: Literal["auto", "claude_code", "openai_compatible"] = "auto"
    dry_run: bool = False

    @field_validator("text")
    @classmethod
    def _is_fit(cls, text: str) -> str:
        if unfit := why_unfit(text):
            raise ValueError(unfit)
        return text.strip()


class Standing(StrEnum):
    """How far a request has come: asked for, taken up by PM, or refused by it."""

    REQUESTED = "requested"
    TAKEN_UP = "taken_up"
    FAILED = "failed"


class Result(Frozen):
    """An improvement that a request became."""

    id: str
    status: Status
    see: str


class RequestState(Frozen):
    """A request and what became of it. `followed`: it was under way already when it was asked for now."""

    id: str
    target: str
    base: str
    text: str
    engine: str
    dry_run: bool
    state: Standing
    reason: str
    improvements: tuple[Result, ...]
    notes: tuple[str, ...]
    see: str
    followed: bool = False


class Look(Frozen):
    """Everything there is to find, at the target's present commit."""


class Looked(Frozen):
    """A look for improvements at a target's commit. `followed`: it was under way already."""

    target: str
    scan: str
    base: str
    followed: bool
    see: str


async def look(call: Call) -> Reply:
    """Let the swarm look for improvements of one target now."""
    id = call.named("id")
    registered = (await loaded(call, TARGET, id)).state.registered
    if registered is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no target {id[:80]!r}")
    cause = cause_of(call)
    if cause.event and (earlier := await _earlier(call, id, cause.event)):
        return _looked(id, earlier, followed=True, repeated=True)
    place = await _looked_at(call, id, registered)
    try:
        asked = await ask_because(call.desk.book, place, Wish(id), cause)
    except (Rejected, TargetProblem) as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused)) from refused
    state = await call.desk.book.state(TARGET, id)
    return _looked(id, state.scans[asked.scan], followed=asked.followed)


def _looked(id: str, scan: Scan, *, followed: bool, repeated: bool = False) -> Reply:
    see = f"/api/improvements?target={quote(id)}"
    asked = scan.requested
    value = Looked(target=id, scan=asked.scan, base=asked.base, followed=followed, see=see)
    return Reply(value, HTTPStatus.ACCEPTED, {"Location": see, **replayed(repeated=repeated)})


async def request(call: Call) -> Reply:
    """Ask for one change of a known target; the roles take it up."""
    wanted: Request = call.body
    id, registered = await _known(call, wanted.target)
    wish = Wish(
        id,
        dry_run=wanted.dry_run,
        request=wanted.text,
        engine=wanted.engine,
        context=tuple(Handed(one.kind, one.where, one.text) for one in wanted.context),
    )
    cause = cause_of(call)
    if cause.event and (earlier := await _earlier(call, id, cause.event)):
        return await _answered(call, id, _same(earlier, wish), repeated=True)
    if cause.event:
        await _refuse_elsewhere(call, id, cause.event)
    place = await _looked_at(call, id, registered)
    try:
        asked: Asked = await ask_because(call.desk.book, place, wish, cause)
    except (TargetProblem, KeyDeleted) as problem:
        raise Problem(HTTPStatus.CONFLICT, str(problem)) from problem
    except (NoSecret, WrongSecret) as problem:
        told = f"what is handed over is kept sealed, and cannot be: {problem}"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, told) from problem
    except Rejected as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused)) from refused
    state = await call.desk.book.state(TARGET, id)
    return await _answered(call, id, state.scans[asked.scan], followed=asked.followed)


async def _known(call: Call, named: str) -> tuple[str, Registered]:
    """Return the target somebody names. Raises `Problem` for one that is not registered."""
    try:
        state = await call.desk.book.state(TARGET, named)
    except ValueError:  # no subject token: it is a path, or an address
        state = TARGET.initial
    if state.registered is not None:
        return named, state.registered
    for row in await call.desk.views.targets():
        if named in (row.path, row.origin):
            return row.id, Registered(path=row.path, title=row.title, origin=row.origin)
    told = f"there is no target {named[:200]!r}: /api/targets lists them, and aps up --target PATH adds one"
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=("target: it is not registered",))


async def _looked_at(call: Call, id: str, registered: Registered) -> Place:
    try:
        return await place_of(id, registered, Workspace(call.desk.ground.settings.home))
    except TargetProblem as problem:
        raise Problem(HTTPStatus.CONFLICT, f"the target cannot be worked on now: {problem}") from problem


async def _refuse_elsewhere(call: Call, id: str, key: str) -> None:
    """Refuse a key with which something was asked of another target. Raises `Problem`."""
    book = call.desk.book
    for other in await book.store.ids(TARGET.name, Registered.name):
        events, _ = ((), None) if other == id else await book.store.read(TARGET.name, other)
        if any(one.envelope.causationid == key for one in events):
            raise key_reused(f"a request of target {other}", ("target: it is another",))


async def _earlier(call: Call, id: str, key: str) -> Scan | None:
    """Return the scan that was requested with the same key."""
    found = await loaded(call, TARGET, id)
    events, _ = await call.desk.book.store.read(TARGET.name, id)
    scans = [one.envelope.data.get("scan") for one in events if one.envelope.causationid == key]
    return next((found.state.scans[scan] for scan in scans if scan in found.state.scans), None)


def _same(earlier: Scan, wish: Wish) -> Scan:
    asked = earlier.requested
    given = {
        "text": (asked.request, wish.request),
        "context": ([one.digest for one in asked.context], [one.digest for one in wish.context]),
        "engine": (asked.engine, wish.engine),
        "dry_run": (asked.dry_run, wish.dry_run),
    }
    other = tuple(f"{name}: it is another" for name, (then, now) in given.items() if then != now)
    if other:
        raise key_reused(f"request {asked.scan}", other)
    return earlier


async def _answered(
    call: Call, id: str, scan: Scan, *, followed: bool = False, repeated: bool = False
) -> Reply:
    told = (await _told(call, id, scan)).model_copy(update={"followed": followed})
    return Reply(told, HTTPStatus.ACCEPTED, {"Location": told.see, **replayed(repeated=repeated)})


async def show(call: Call) -> Reply:
    """Answer how far a request has come."""
    scan = call.named("id")
    id = scan.rpartition("-s")[0]
    state: Target = (await loaded(call, TARGET, id)).state if id else TARGET.initial
    if scan not in state.scans or not state.scans[scan].requested.request:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no request {scan[:80]!r}")
    return Reply(await _told(call, id, state.scans[scan]))


async def _told(call: Call, target: str, scan: Scan) -> RequestState:
    asked, done, failed = scan.requested, scan.done, scan.failed
    states = await call.desk.book.states(IMPROVEMENT, done.improvements if done else ())
    return RequestState(
        id=asked.scan,
        target=target,
        base=asked.base,
        text=asked.request,
        engine=asked.engine,
        dry_run=asked.dry_run,
        state=Standing.FAILED if failed else Standing.TAKEN_UP if done else Standing.REQUESTED,
        reason=failed.reason if failed else "",
        improvements=tuple(
            Result(id=id, status=state.status, see=f"/api/improvements/{id}")
            for id, state in states.items()
            if state.status is not None
        ),
        notes=asked.notes,
        see=f"{PATH}/{asked.scan}",
    )


ROUTES = (
    Route(
        "POST",
        "/api/improvements",
        request,
        DECIDING,
        Scope.IMPROVEMENTS,
        "Ask for a change in your own words",
        body=Request,
        headers=ONCE,
        answers={HTTPStatus.ACCEPTED: RequestState},
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "POST",
        "/api/targets/{id}/look",
        look,
        DECIDING,
        Scope.IMPROVEMENTS,
        "Look for improvements of a target now",
        body=Look,
        headers=ONCE,
        answers={HTTPStatus.ACCEPTED: Looked},
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "GET",
        f"{PATH}/{{id}}",
        show,
        LOOKING,
        Scope.IMPROVEMENTS,
        "Show how far a request has come",
        answers={HTTPStatus.OK: RequestState},
    ),
)
