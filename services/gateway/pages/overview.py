"""The overview: is everything well, what is in flight, what it costs, and the great switches.

What a narrowed token may not see is not even asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from events.store import Unavailable
from events.swarm import ALL, SWARM, Paused, Resumed
from projections.queries import Views
from projections.views.board_search import Order, Search
from projections.views.improvement_board import ImprovementRow
from projections.views.task_board import TaskRow, TaskState
from schemas.access import Scope
from schemas.improvement import Status
from services.gateway.api import deciding, letters, requesting
from services.gateway.api.swarm import PATH as SWARM_STATE
from services.gateway.http.commands import Why, because, record
from services.gateway.http.lists import At
from services.gateway.http.route import DECIDING, LOOKING, Call, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.moment import moment_of
from services.gateway.pages.outage import state_of
from services.gateway.pages.parts import withheld
from services.gateway.pages.rendering import page

LATEST = 10
WAITING = 50


@dataclass(frozen=True)
class Found:
    """The improvements of all targets: how many of each status, those that wait for a person, the latest."""

    counts: dict[Status, int]
    waiting: tuple[ImprovementRow, ...]
    waiting_number: int
    latest: tuple[ImprovementRow, ...]


async def overview(call: Call) -> web.StreamResponse:
    """Show the whole at a glance."""
    moment = await moment_of(call)
    views, seq = call.desk.views, moment.at_seq
    wants = withheld(call)
    tasks = () if wants["flight"] else await views.tasks(TaskState.RUNNING, at_seq=seq)
    return page(
        call,
        "overview.html",
        moment=moment,
        seen=None if seq else await call.desk.watch.last(),
        paused=(await state_of(call.desk, SWARM, ALL, seq)).paused,
        targets=() if wants["targets"] else await views.targets(seq),
        budgets=() if wants["spend"] else await views.budgets(seq),
        found=Found({}, (), 0, ()) if wants["latest"] else await _found(views, seq),
        tasks=tasks,
        ages=_ages(tasks, moment.time),
        poisoned=() if seq or wants["applied"] else await views.poisoned(),
        position=moment.seq,
        letters=None if seq or wants["applied"] else await _letters(call),
    )


async def _letters(call: Call) -> str:
    """Count the open letters, which nobody but NATS knows."""
    try:
        return str(len(await letters.open_letters(call)))
    except Unavailable:
        return "not known"


async def _found(views: Views, seq: int | None) -> Found:
    blocked = Search(blocked=True, at_seq=seq)
    return Found(
        counts=await views.counted(Search(at_seq=seq)),
        waiting=await views.found(blocked, limit=WAITING),
        waiting_number=sum((await views.counted(blocked)).values()),
        latest=await views.found(Search(at_seq=seq), Order.NEWEST, LATEST),
    )


def _ages(rows: Sequence[TaskRow], present: datetime) -> list[int]:
    return [int((present - row.claimed_at).total_seconds()) for row in rows]


async def pause(call: Call) -> web.StreamResponse:
    """Halt all new work."""
    await record(call, SWARM, ALL, Paused(reason=because(call, "paused")), SWARM_STATE, first=True)
    return back_to("/")


async def resume(call: Call) -> web.StreamResponse:
    """Let new work begin again."""
    await record(call, SWARM, ALL, Resumed(), SWARM_STATE, first=True)
    return back_to("/")


async def look(call: Call) -> web.StreamResponse:
    """Let the swarm look for improvements of one target now."""
    await requesting.look(call)
    return back_to("/")


async def resume_target(call: Call) -> web.StreamResponse:
    """Let new work on one target begin again."""
    await deciding.resume_target(call)
    return back_to("/")


ROUTES = (
    Route("GET", "/", overview, LOOKING, Scope.SYSTEM, "Overview", query=At, page=True),
    Route(
        "POST",
        "/targets/{id}/look",
        look,
        DECIDING,
        Scope.IMPROVEMENTS,
        "Look for improvements now",
        body=requesting.Look,
        page=True,
    ),
    Route(
        "POST",
        "/targets/{id}/resume",
        resume_target,
        DECIDING,
        Scope.IMPROVEMENTS,
        "Let work on a target go on",
        body=Why,
        page=True,
    ),
    Route("POST", "/pause", pause, DECIDING, Scope.SYSTEM, "Halt all new work", body=Why, page=True),
    Route("POST", "/resume", resume, DECIDING, Scope.SYSTEM, "Let work go on", body=Why, page=True),
)
