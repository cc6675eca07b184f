"""Improvements: the board and the table, and one of them with what is behind it and what can be decided."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from events.fact import Fact
from events.improvement import IMPROVEMENT, Improvement
from projections.views.improvement_board import ImprovementRow
from schemas.access import Scope
from schemas.improvement import Status
from services.gateway.api.deciding import fact_of
from services.gateway.api.reading import found_improvement, seq_of
from services.gateway.http.commands import Why, record
from services.gateway.http.lists import At
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, LOOKING, Call, Route
from services.gateway.pages.forms import back_to
from services.gateway.pages.rendering import page
from services.runtime.log import Loaded
from services.steering.decisions import Decision, possible, refusal

PLACE = "/ai/improvements"
SHOWN = 200
COLUMNS = (
    ("Found", (Status.INITIALIZED, Status.REQUIREMENTS_COMPLETE)),
    ("Planned", (Status.ARCHITECTURE_COMPLETE,)),
    ("Written", (Status.IMPLEMENTATION_COMPLETE,)),
    ("Proven", (Status.TESTING_COMPLETE, Status.APPROVED)),
    ("Landed", (Status.DEPLOYMENT_COMPLETE, Status.PARTLY_LANDED)),
    ("Ended", (Status.DECLINED, Status.ABANDONED, Status.DEPLOYMENT_FAILED, Status.ROLLED_BACK)),
)
NAMES = {
    Decision.APPROVE: "Let it land",
    Decision.DECLINE: "Refuse it",
    Decision.ROLL_BACK: "Take it back",
    Decision.RETRY: "Try it again",
}


class Wanted(At):
    """Which improvements, in which order, drawn how; all of it stands in the address."""

    shown: Literal["board", "table"] = "board"
    target: Annotated[str, Field(max_length=200)] = ""
    status: Status | Literal[""] = ""
    q: Annotated[str, Field(max_length=200)] = ""
    sort: Literal["rank", "newest", "risk", "status"] = "rank"


class Decided(Why):
    """A decision, and the version of the improvement that was looked at."""

    version: Annotated[int, Field(ge=1)]


ORDERS = {
    "rank": lambda row: (row.target, row.rank, row.id),
    "newest": lambda row: (-row.updated_at.timestamp(), row.id),
    "risk": lambda row: ({"high": 0, "medium": 1, "low": 2}.get(row.risk, 3), row.rank, row.id),
    "status": lambda row: (row.status, row.rank, row.id),
}


async def board(call: Call) -> web.StreamResponse:
    """Show improvements by state or as a table."""
    asked: Wanted = call.query
    seq = await seq_of(call)
    found = await call.desk.views.improvements(asked.target or None, asked.status or None, seq)
    rows = sorted((row for row in found if _matches(row, asked.q)), key=ORDERS[asked.sort])
    return page(
        call,
        "improvements.html",
        asked=asked,
        rows=rows[:SHOWN],
        total=len(rows),
        columns=_columns(rows),
        most=SHOWN,
        targets=await call.desk.views.targets(seq),
        statuses=tuple(Status),
    )


def _matches(row: ImprovementRow, wanted: str) -> bool:
    text = " ".join((row.id, row.title, row.rule, row.source, row.reason, *row.files)).lower()
    return all(word in text for word in wanted.lower().split())


def _columns(rows: Sequence[ImprovementRow]) -> list[tuple[str, list[ImprovementRow]]]:
    return [(name, [row for row in rows if row.status in statuses]) for name, statuses in COLUMNS]


async def detail(call: Call) -> web.StreamResponse:
    """Show one improvement."""
    seq = await seq_of(call)
    row = await found_improvement(call, seq)
    state = await call.desk.book.state(IMPROVEMENT, row.id)
    decisions = () if seq else possible(state, call.desk.book.clock())
    return page(
        call,
        "improvement.html",
        row=row,
        decisions=[(one.value, NAMES[one], one is not Decision.APPROVE) for one in decisions],
        timeline=await call.desk.views.timeline(row.id, seq),
        runs=await call.desk.views.runs(row.id, at_seq=seq),
        tasks=await call.desk.views.tasks(aggregate=IMPROVEMENT.name, id=row.id, at_seq=seq),
    )


async def decide(decision: Decision, call: Call) -> web.StreamResponse:
    """Record a decision made on a page, if the improvement still stands as it was shown."""
    id = call.named("id")

    def decided(found: Loaded[Improvement]) -> Fact:
        if found.position.version != call.body.version:
            told = "it has changed since you looked: look again, then decide"
            raise Problem(HTTPStatus.CONFLICT, told)
        return fact_of(decision, call, found)

    await record(call, IMPROVEMENT, id, decided, f"{PLACE}/{id}", refusal)
    return back_to(f"{PLACE}/{id}")


def _decision(one: Decision) -> Route:
    path, body = f"{PLACE}/{{id}}/{one}", Decided
    return Route(
        "POST", path, partial(decide, one), DECIDING, Scope.IMPROVEMENTS, NAMES[one], body=body, page=True
    )


ROUTES = (
    Route("GET", PLACE, board, LOOKING, Scope.IMPROVEMENTS, "Improvements", query=Wanted, page=True),
    Route("GET", f"{PLACE}/{{id}}", detail, LOOKING, Scope.IMPROVEMENTS, "One", query=At, page=True),
    *(_decision(one) for one in Decision),
)
