"""Tasks and deployments: who works on what, what engines are called, how release branches moved."""

from functools import partial
from typing import Annotated

from aiohttp import web
from pydantic import Field

from events.store import Unavailable
from projections.views.task_board import TaskState
from schemas.access import Scope
from services.gateway.api import deciding
from services.gateway.api.roster import AgentState, agents
from services.gateway.http.commands import Why
from services.gateway.http.lists import At
from services.gateway.http.route import DECIDING, LOOKING, Call, Handler, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.moment import Moment, moment_of
from services.gateway.pages.rendering import page

TASKS = "/ai/tasks"
DEPLOYMENTS = "/ai/deployments"
LATEST = 100


class Claims(At):
    """Which claims: those that run, or all."""

    state: TaskState | Annotated[str, Field(pattern="^(all)?$")] = TaskState.RUNNING


async def tasks(call: Call) -> web.StreamResponse:
    """Show claims on work, the latest calls of engines, and who works from outside."""
    moment = await moment_of(call)
    seq, views = moment.at_seq, call.desk.views
    asked = call.query.state
    rows = await views.tasks(TaskState(asked) if asked not in ("", "all") else None, at_seq=seq)
    runs = await views.runs(at_seq=seq)
    return page(
        call,
        "tasks.html",
        moment=moment,
        asked=asked,
        states=tuple(TaskState),
        rows=[(row, row.expired(moment.time)) for row in rows[-LATEST:]],
        runs=runs[: -LATEST - 1 : -1],
        releasable=deciding.RELEASABLE,
        agents=await _agents(call, moment),
    )


async def _agents(call: Call, moment: Moment) -> tuple[AgentState, ...] | None:
    """Return the agents from outside; None while the log, which alone knows them, is away."""
    try:
        return await agents(call.desk.book, moment.at_seq, moment.time)
    except Unavailable:
        return None


async def deployments(call: Call) -> web.StreamResponse:
    """Show the moves of release branches, the latest first."""
    moment = await moment_of(call)
    rows = await call.desk.views.deployments(at_seq=moment.at_seq)
    return page(call, "deployments.html", moment=moment, rows=rows[::-1][:LATEST])


async def _then(handler: Handler, place: str, call: Call) -> web.StreamResponse:
    await handler(call)
    return back_to(place)


def _form(path: str, handler: Handler, summary: str) -> Route:
    return Route(
        "POST",
        path,
        partial(_then, handler, TASKS),
        DECIDING,
        Scope.TASKS,
        summary,
        body=Why,
        page=True,
    )


ROUTES = (
    Route("GET", TASKS, tasks, LOOKING, Scope.TASKS, "Tasks", query=Claims, page=True),
    _form(f"{TASKS}/{{aggregate}}/{{id}}/release", deciding.release, "Release a claim"),
    _form(f"{TASKS}/runs/{{id}}/cancel", deciding.cancel, "Cancel an engine call"),
    Route(
        "GET",
        DEPLOYMENTS,
        deployments,
        LOOKING,
        Scope.DEPLOYMENTS,
        "Deployments",
        query=At,
        conditional=True,
        page=True,
    ),
)
