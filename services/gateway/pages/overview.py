"""The overview: is everything well, what is in flight, what it costs, and the great switches."""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from events.swarm import ALL, SWARM, Paused, Resumed
from projections.views.improvement_board import ImprovementRow
from projections.views.task_board import TaskRow, TaskState
from schemas.access import Scope
from services.gateway.api.reading import seq_of
from services.gateway.http.commands import Why, because, record
from services.gateway.http.lists import At
from services.gateway.http.route import DECIDING, LOOKING, Call, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.rendering import page
from services.runtime.ground import now

LATEST = 10
SYSTEM = "/api/health"


async def overview(call: Call) -> web.StreamResponse:
    """Show the whole at a glance."""
    views, seq = call.desk.views, await seq_of(call)
    improvements = await views.improvements(at_seq=seq)
    tasks = await views.tasks(TaskState.RUNNING, at_seq=seq)
    return page(
        call,
        "overview.html",
        seen=None if seq else await call.desk.watch.last(),
        paused=None if seq else (await call.desk.book.state(SWARM, ALL)).paused,
        targets=await views.targets(seq),
        budgets=await views.budgets(seq),
        counts=_counts(improvements),
        waiting=[row for row in improvements if row.blocked],
        latest=sorted(improvements, key=lambda row: row.updated_at, reverse=True)[:LATEST],
        tasks=tasks,
        ages=_ages(tasks, now()),
        poisoned=() if seq else await views.poisoned(),
        position=seq or (await views.checkpoint()).seq,
    )


def _counts(rows: Sequence[ImprovementRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.status.value] = found.get(row.status.value, 0) + 1
    return found


def _ages(rows: Sequence[TaskRow], present: datetime) -> list[int]:
    return [int((present - row.claimed_at).total_seconds()) for row in rows]


async def pause(call: Call) -> web.StreamResponse:
    """Halt all new work."""
    await record(call, SWARM, ALL, Paused(reason=because(call, "paused")), SYSTEM, first=True)
    return back_to("/")


async def resume(call: Call) -> web.StreamResponse:
    """Let new work begin again."""
    await record(call, SWARM, ALL, Resumed(), SYSTEM, first=True)
    return back_to("/")


ROUTES = (
    Route("GET", "/", overview, LOOKING, Scope.SYSTEM, "Overview", query=At, page=True),
    Route("POST", "/pause", pause, DECIDING, Scope.SYSTEM, "Halt all new work", body=Why, page=True),
    Route("POST", "/resume", resume, DECIDING, Scope.SYSTEM, "Let work go on", body=Why, page=True),
)
