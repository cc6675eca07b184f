"""What the views hold: improvements, targets, tasks, runs, budgets, deployments, now or at a moment."""

from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from pydantic import Field

from projections.views.budgets import BudgetRow
from projections.views.deployments import DeploymentRow
from projections.views.engine_usage import RunRow
from projections.views.improvement_board import ImprovementRow
from projections.views.targets import TargetRow
from projections.views.task_board import TaskRow, TaskState
from projections.views.timeline import TimelineRow
from schemas.access import Scope
from schemas.improvement import Status
from services.gateway.http.lists import SORTED_BY, At, Order, Page, Paged, page_of, time_key
from services.gateway.http.problems import Problem
from services.gateway.http.route import IF_NONE_MATCH, LOOKING, Call, Handler, Reply, Route
from services.runtime.ground import now
from services.runtime.moments import NoMoment, NothingThen, seq_named

OK = HTTPStatus.OK
BY_RANK = Order[ImprovementRow]("improvements", (str, int, str), lambda row: (row.target, row.rank, row.id))
BY_EVENT = Order[TimelineRow]("timeline", (int,), lambda row: (row.seq,))
BY_TITLE = Order[TargetRow]("targets", (str, str), lambda row: (row.title[:SORTED_BY], row.id))
BY_CLAIM = Order[TaskRow]("tasks", (int,), lambda row: (row.claimed_seq,))
BY_REQUEST = Order[RunRow]("runs", (str, str), lambda row: (time_key(row.requested_at), row.id))
BY_OPENING = Order[BudgetRow]("budgets", (str, str), lambda row: (time_key(row.opened_at), row.id))
BY_START = Order[DeploymentRow]("deployments", (str, str), lambda row: (time_key(row.started_at), row.id))


class OfTarget(Paged):
    """Of one target, or of all."""

    target: str = Field(default="", max_length=200)


class Improvements(OfTarget):
    """Of one status, or of all."""

    status: Status | None = None


class Tasks(Paged):
    """Claims in one state, of one agent, on one kind of aggregate; empty is any."""

    state: TaskState | None = None
    agent: str = Field(default="", max_length=200)
    aggregate: str = Field(default="", max_length=80)


class Runs(Paged):
    """Engine calls of one improvement, or with one outcome; empty is any."""

    improvement: str = Field(default="", max_length=200)
    outcome: str = Field(default="", max_length=40)


async def seq_of(call: Call) -> int | None:
    """Return the sequence that is asked for, None for now. Raises `Problem`."""
    try:
        return await seq_named(call.desk.book.store, call.query.at, now())
    except NoMoment as problem:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem)) from None
    except NothingThen as problem:
        raise Problem(HTTPStatus.NOT_FOUND, str(problem)) from None


async def time_of(call: Call, seq: int) -> datetime:
    """Return the time of an event on the log."""
    (envelope,) = [one.envelope async for one in call.desk.book.store.read_all(seq - 1, seq)]
    return envelope.at


async def position(call: Call, seq: int | None) -> int:
    """Return the sequence an answer holds at."""
    return (await call.desk.views.checkpoint()).seq if seq is None else seq


async def improvements(call: Call) -> Reply:
    """Answer improvements by target and rank."""
    asked: Improvements = call.query
    seq = await seq_of(call)
    rows = await call.desk.views.improvements(asked.target or None, asked.status, seq)
    return Reply(page_of(rows, BY_RANK, asked, await position(call, seq)))


async def improvement(call: Call) -> Reply | web.StreamResponse:
    """Answer one improvement; its version is its ETag, for `If-Match` of a decision.

    As it stood once it has another, as it is told then until when it stood so.
    """
    row = await found_improvement(call, await seq_of(call))
    tag = str(row.version) if row.valid_to_seq is None else f"{row.version}-{row.valid_to_seq}"
    headers = {"ETag": f'"{tag}"'}
    if any(known.value in (tag, "*") for known in call.request.if_none_match or ()):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Reply(row, headers=headers)


async def found_improvement(call: Call, seq: int | None) -> ImprovementRow:
    """Return the improvement that the path names, as of a sequence or now. Raises `Problem`."""
    row = await call.desk.views.improvement(call.named("id"), seq)
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no improvement {call.named('id')[:80]!r}")
    return row


async def timeline(call: Call) -> Reply:
    """Answer what happened to an improvement, oldest first."""
    seq = await seq_of(call)
    row = await found_improvement(call, seq)
    rows = await call.desk.views.timeline(row.id, seq)
    return Reply(page_of(rows, BY_EVENT, call.query, await position(call, seq)))


async def targets(call: Call) -> Reply:
    """Answer targets by title."""
    seq = await seq_of(call)
    rows = await call.desk.views.targets(seq)
    return Reply(page_of(rows, BY_TITLE, call.query, await position(call, seq)))


async def tasks(call: Call) -> Reply:
    """Answer claims on work, oldest first."""
    asked: Tasks = call.query
    seq = await seq_of(call)
    rows = await call.desk.views.tasks(asked.state, asked.agent or None, asked.aggregate or None, at_seq=seq)
    return Reply(page_of(rows, BY_CLAIM, asked, await position(call, seq)))


async def runs(call: Call) -> Reply:
    """Answer engine calls, oldest first."""
    asked: Runs = call.query
    seq = await seq_of(call)
    rows = await call.desk.views.runs(asked.improvement or None, asked.outcome or None, seq)
    return Reply(page_of(rows, BY_REQUEST, asked, await position(call, seq)))


async def budgets(call: Call) -> Reply:
    """Answer budgets, those opened first before others."""
    seq = await seq_of(call)
    rows = await call.desk.views.budgets(seq)
    return Reply(page_of(rows, BY_OPENING, call.query, await position(call, seq)))


async def deployments(call: Call) -> Reply:
    """Answer the moves of release branches, oldest first."""
    asked: OfTarget = call.query
    seq = await seq_of(call)
    rows = await call.desk.views.deployments(asked.target or None, seq)
    return Reply(page_of(rows, BY_START, asked, await position(call, seq)))


def _list(path: str, handler: Handler, scope: Scope, summary: str, query: type[At], item: object) -> Route:
    answers = {OK: Page[item]}  # type: ignore[valid-type]  # the item is given at run time
    return Route(
        "GET",
        path,
        handler,
        LOOKING,
        scope,
        summary,
        query=query,
        answers=answers,
        conditional=True,
    )


ROUTES = (
    _list(
        "/api/improvements",
        improvements,
        Scope.IMPROVEMENTS,
        "List improvements by target and rank",
        Improvements,
        ImprovementRow,
    ),
    Route(
        "GET",
        "/api/improvements/{id}",
        improvement,
        LOOKING,
        Scope.IMPROVEMENTS,
        "Show one improvement",
        query=At,
        headers=(IF_NONE_MATCH,),
        answers={OK: ImprovementRow, HTTPStatus.NOT_MODIFIED: None},
    ),
    _list(
        "/api/improvements/{id}/timeline",
        timeline,
        Scope.IMPROVEMENTS,
        "List what happened to an improvement",
        Paged,
        TimelineRow,
    ),
    _list("/api/targets", targets, Scope.IMPROVEMENTS, "List targets", Paged, TargetRow),
    _list("/api/tasks", tasks, Scope.TASKS, "List claims on work", Tasks, TaskRow),
    _list("/api/runs", runs, Scope.TASKS, "List engine calls", Runs, RunRow),
    _list("/api/budgets", budgets, Scope.METRICS, "List budgets", Paged, BudgetRow),
    _list(
        "/api/deployments",
        deployments,
        Scope.DEPLOYMENTS,
        "List moves of release branches",
        OfTarget,
        DeploymentRow,
    ),
)
