"""Whether work goes on, of the swarm as a whole and of each target; if not, since when, by whom and why."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from events.fact import AggregateType
from events.store import Recorded
from events.swarm import ALL, SWARM, Paused, Resumed
from events.target import TARGET, Registered
from events.target import Paused as TargetPaused
from events.target import Resumed as TargetResumed
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.http.route import LOOKING, Call, Reply, Route
from services.gateway.http.who import who
from services.runtime.log import Log

PATH = "/api/swarm"
STOPS = frozenset({Paused.name, TargetPaused.name})
MOVES = STOPS | {Resumed.name, TargetResumed.name}


class Going(Frozen):
    """Whether new work may begin. `since`, `by` and `reason` are of the last pause, or of its end.

    They are empty where there was no pause yet. `version` is that of the aggregate.
    """

    paused: bool = False
    since: datetime | None = None
    by: str = ""
    actor: str = ""
    reason: str = ""
    version: int = 0


class TargetGoing(Going):
    """Whether new work may begin on one target, as far as the target itself says."""

    id: str
    title: str


class SwarmState(Going):
    """Whether new work may begin at all, and on each target. It begins where neither is paused."""

    targets: tuple[TargetGoing, ...]


async def show(call: Call) -> Reply:
    """Answer whether work goes on."""
    book = call.desk.book
    whole = await _going(book, SWARM, ALL)
    targets = []
    for id in sorted(await book.store.ids(TARGET.name, Registered.name)):
        registered = (await book.state(TARGET, id)).registered
        if registered is not None:
            going = await _going(book, TARGET, id)
            targets.append(TargetGoing(**dict(going), id=id, title=registered.title))
    return Reply(SwarmState(**dict(whole), targets=tuple(targets)), headers={"ETag": f'"{whole.version}"'})


async def _going(book: Log, kind: AggregateType[Any], id: str) -> Going:
    events, position = await book.store.read(kind.name, id)
    last = next((one for one in reversed(events) if one.envelope.address.fact in MOVES), None)
    if last is None:
        return Going(version=position.version)
    return going(last, await who(book, last.envelope.actor), position.version)


def going(last: Recorded, by: str, version: int) -> Going:
    """Return how it goes since the last pause or end of a pause."""
    said = last.envelope
    return Going(
        paused=said.address.fact in STOPS,
        since=said.at,
        by=by,
        actor=said.actor,
        reason=said.data.get("reason", ""),
        version=version,
    )


ROUTES = (
    Route(
        "GET",
        PATH,
        show,
        LOOKING,
        Scope.SYSTEM,
        "Show whether work goes on",
        answers={HTTPStatus.OK: SwarmState},
    ),
)
