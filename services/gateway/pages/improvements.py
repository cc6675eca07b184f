"""Improvements: the board and the table, and one of them with what is behind it and what can be decided."""

from collections.abc import Sequence
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from projections.views.improvement_board import ImprovementRow
from schemas.access import Scope
from schemas.improvement import Status
from services.gateway.api.reading import seq_of
from services.gateway.http.lists import At
from services.gateway.http.route import LOOKING, Call, Route
from services.gateway.pages.rendering import page

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


class Wanted(At):
    """Which improvements, in which order, drawn how; all of it stands in the address."""

    shown: Literal["board", "table"] = "board"
    target: Annotated[str, Field(max_length=200)] = ""
    status: Status | Literal[""] = ""
    q: Annotated[str, Field(max_length=200)] = ""
    sort: Literal["rank", "newest", "risk", "status"] = "rank"


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
