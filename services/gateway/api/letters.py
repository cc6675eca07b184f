"""Dead letters: events that a role gave up on; given to it again, or discarded for a reason that is kept."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field, field_validator

from events.envelope import Cause
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.http.commands import ONCE, Why, cause_of, key_reused, replayed
from services.gateway.http.lists import Page, Paged
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, LOOKING, Call, Reply, Route
from services.runtime.replaying import NobodyThere
from services.steering.letters import ClosedMeanwhile, Closing, DeadLetter

PATH = "/api/dead-letters"
PROJECTOR = "projector"


class Letters(Frozen):
    """The open letters, or all; those behind one of them."""

    closed: bool = Field(default=False, description="The closed ones too.")
    after: Annotated[int, Field(ge=0, lt=1 << 60)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = Paged().limit


class Discarded(Why):
    """Why nothing is to be done: it is all that will tell."""

    reason: str = Field(min_length=1, max_length=2000)

    @field_validator("reason")
    @classmethod
    def _says_something(cls, reason: str) -> str:
        if not reason.strip():
            raise ValueError("give a reason: it is all that will tell why nothing was done")
        return reason.strip()


class LetterState(Frozen):
    """A letter: the role, the event it gave up on, why, since when, and what giving it again does.

    `under_way`: the role is at it now. `failure` is why the last try failed, where one did.
    """

    number: int
    role: str
    event: int
    subject: str
    reason: str
    since: datetime | None
    replay_does: str
    replayable: bool
    closed: Closing | None
    under_way: bool
    failure: str
    see: str


def told(call: Call, letter: DeadLetter) -> LetterState:
    """Return a letter as it is shown."""
    by_views = letter.role == PROJECTOR
    return LetterState(
        number=letter.number,
        role=letter.role,
        event=letter.seq,
        subject=letter.subject,
        reason=letter.reason,
        since=letter.since,
        replay_does=_does(letter),
        replayable=not by_views and not letter.replayed,
        closed=letter.closed,
        under_way=call.desk.letters.under_way(letter.number),
        failure=call.desk.letters.failure(letter.number),
        see=f"{PATH}/{letter.number}",
    )


def _does(letter: DeadLetter) -> str:
    if letter.role == PROJECTOR:
        return "nothing here: views that are built anew take the event (aps views rebuild) and close it"
    return (
        f"event {letter.seq} is given to {letter.role} once more, and what it asks for is done unless that"
        " has happened since; the letter is closed when the role is done, and stays when it fails"
    )


async def open_letters(call: Call, *, closed: bool = False) -> Sequence[DeadLetter]:
    """Return the open letters, or all."""
    return [one for one in await call.desk.letters.all() if closed or one.closed is None]


async def list_letters(call: Call) -> Reply:
    """Answer letters, oldest first."""
    asked: Letters = call.query
    found = [one for one in await open_letters(call, closed=asked.closed) if one.number > asked.after]
    items = tuple(told(call, one) for one in found[: asked.limit])
    following = str(items[-1].number) if len(found) > asked.limit else None
    return Reply(Page(items=items, next=following, position=await call.desk.book.store.head()))


async def show(call: Call) -> Reply:
    """Answer one letter."""
    return Reply(told(call, await _named(call)))


async def _named(call: Call) -> DeadLetter:
    named = call.named("number")
    for letter in await call.desk.letters.all():
        if str(letter.number) == named:
            return letter
    raise Problem(HTTPStatus.NOT_FOUND, f"there is no dead letter {named[:20]!r}")


async def replay(call: Call) -> Reply:
    """Have the role take the event again; what comes of it is told at the letter's address."""
    letter, cause = await _named(call), cause_of(call)
    before = _sent_before(letter, cause)
    if not before:
        _refuse_closed(letter, "replayed")
        if letter.role == PROJECTOR:
            raise Problem(HTTPStatus.CONFLICT, f"replaying it does {_does(letter)}")
        try:
            await call.desk.letters.replay(letter, cause.actor, _key(cause))
        except NobodyThere as nobody:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(nobody)) from nobody
    return await _accepted(call, repeated=before)


async def discard(call: Call) -> Reply:
    """Close a letter without doing anything, for a reason that is kept with who gave it."""
    letter, cause = await _named(call), cause_of(call)
    before = _sent_before(letter, cause)
    if not before:
        _refuse_closed(letter, "replayed", "discarded")
        if call.desk.letters.under_way(letter.number):
            raise Problem(HTTPStatus.CONFLICT, f"{letter.role} is at event {letter.seq} now: look again")
        try:
            await call.desk.letters.discard(letter, call.body.reason, cause.actor, _key(cause))
        except ClosedMeanwhile as problem:
            raise Problem(HTTPStatus.CONFLICT, str(problem)) from problem
    return await _accepted(call, repeated=before)


def _key(cause: Cause) -> str:
    """Return what a closing keeps of the key and the body it was asked for with, empty for no key."""
    return cause.event and f"{cause.event} {cause.correlation}"


def _sent_before(letter: DeadLetter, cause: Cause) -> bool:
    """Whether a letter was closed by this very request. Raises `Problem` for another with its key."""
    closed = letter.closed
    if not cause.event or closed is None or closed.key.partition(" ")[0] != cause.event:
        return False
    if closed.key != _key(cause):
        raise key_reused(f"letter {letter.number} was {closed.how}, reason: {closed.reason}")
    return True


def _refuse_closed(letter: DeadLetter, *ways: str) -> None:
    closed = letter.closed
    if closed is not None and closed.how in ways:
        said = f"letter {letter.number} was {closed.how} already, by {closed.by}: {closed.reason}"
        raise Problem(HTTPStatus.CONFLICT, said)


async def _accepted(call: Call, *, repeated: bool) -> Reply:
    state = told(call, await _named(call))
    return Reply(state, HTTPStatus.ACCEPTED, {"Location": state.see, **replayed(repeated=repeated)})


ONE = f"{PATH}/{{number:[0-9]+}}"
ACCEPTED = {HTTPStatus.ACCEPTED: LetterState}
ROUTES = (
    Route(
        "GET",
        PATH,
        list_letters,
        LOOKING,
        Scope.TASKS,
        "List dead letters",
        query=Letters,
        answers={HTTPStatus.OK: Page[LetterState]},
    ),
    Route(
        "GET",
        ONE,
        show,
        LOOKING,
        Scope.TASKS,
        "Show a dead letter",
        answers={HTTPStatus.OK: LetterState},
    ),
    Route(
        "POST",
        f"{ONE}/replay",
        replay,
        DECIDING,
        Scope.TASKS,
        "Give an event to its role again",
        body=Why,
        headers=ONCE,
        answers=ACCEPTED,
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "POST",
        f"{ONE}/discard",
        discard,
        DECIDING,
        Scope.TASKS,
        "Discard a dead letter",
        body=Discarded,
        headers=ONCE,
        answers=ACCEPTED,
        problems=(HTTPStatus.CONFLICT,),
    ),
)
