"""Improvements: the board by state, and the table; all that is asked for stands in the address."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from projections.queries import Views
from projections.views.board_search import Order, Search
from projections.views.improvement_board import ImprovementRow
from schemas.access import Scope
from schemas.improvement import Status
from services.gateway.http.lists import At
from services.gateway.http.route import LOOKING, Call, Route
from services.gateway.pages.dossier import PLACE
from services.gateway.pages.moment import moment_of
from services.gateway.pages.rendering import page

IN_COLUMN = 30
ON_PAGE = 100
STAGES: dict[str, tuple[Status, ...]] = {
    "found": (Status.INITIALIZED, Status.REQUIREMENTS_COMPLETE),
    "planned": (Status.ARCHITECTURE_COMPLETE,),
    "written": (Status.IMPLEMENTATION_COMPLETE,),
    "proven": (Status.TESTING_COMPLETE, Status.APPROVED),
    "landed": (Status.DEPLOYMENT_COMPLETE, Status.PARTLY_LANDED),
    "ended": (Status.DECLINED, Status.ABANDONED, Status.DEPLOYMENT_FAILED, Status.ROLLED_BACK),
}


class Wanted(At):
    """Which improvements, in which order, drawn how. `page` counts the pages of the table from 1."""

    shown: Literal["board", "table"] = "board"
    target: Annotated[str, Field(max_length=200)] = ""
    stage: Literal["", "found", "planned", "written", "proven", "landed", "ended"] = ""
    status: Status | Literal[""] = ""
    q: Annotated[str, Field(max_length=200)] = ""
    sort: Order = Order.RANK
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1


@dataclass(frozen=True)
class Column:
    """One stage of the board: its first improvements, and how many there are."""

    stage: str
    rows: tuple[ImprovementRow, ...]
    number: int


async def board(call: Call) -> web.StreamResponse:
    """Show improvements by state or as a table."""
    asked: Wanted = call.query
    moment, views = await moment_of(call), call.desk.views
    search = _search(asked, moment.at_seq)
    as_table = asked.shown == "table"
    counts, rows, targets = await asyncio.gather(
        views.counted(search), _rows(views, search, asked), views.targets(moment.at_seq)
    )
    total = sum(counts.values())
    return page(
        call,
        "improvements.html",
        moment=moment,
        asked=asked,
        total=total,
        rows=rows if as_table else (),
        columns=() if as_table else _columns(rows, counts),
        pages=-(-total // ON_PAGE),
        others={name: value for name, value in moment.kept.items() if name not in ("page", "shown", "stage")},
        targets=targets,
        statuses=tuple(Status),
        stages=tuple(STAGES),
        orders=tuple(Order),
    )


def _search(asked: Wanted, at_seq: int | None) -> Search:
    statuses = STAGES.get(asked.stage, ())
    if asked.status:
        statuses = (Status(asked.status),)
    return Search(target=asked.target or None, statuses=statuses, words=tuple(asked.q.split()), at_seq=at_seq)


async def _rows(views: Views, search: Search, asked: Wanted) -> tuple[ImprovementRow, ...]:
    if asked.shown == "table":
        return await views.found(search, asked.sort, ON_PAGE, (asked.page - 1) * ON_PAGE)
    wanted = replace(search, statuses=search.statuses or tuple(Status))
    return await views.first_of_each(wanted, asked.sort, IN_COLUMN)


def _columns(found: Sequence[ImprovementRow], counts: dict[Status, int]) -> list[Column]:
    return [
        Column(
            stage,
            tuple(row for row in found if row.status in statuses)[:IN_COLUMN],
            sum(counts.get(one, 0) for one in statuses),
        )
        for stage, statuses in STAGES.items()
    ]


ROUTES = (
    Route(
        "GET",
        PLACE,
        board,
        LOOKING,
        Scope.IMPROVEMENTS,
        "Improvements",
        query=Wanted,
        conditional=True,
        page=True,
    ),
)
