"""One improvement on a page: what it is, its proof, its gates, what happened, and what can be decided."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

import orjson
from aiohttp import web
from pydantic import Field

from events.deployment import DEPLOYMENT
from events.fact import Fact
from events.improvement import IMPROVEMENT, Improvement
from events.target import TARGET
from projections.views.deployments import DeploymentRow
from projections.views.engine_usage import RunRow
from schemas.access import Scope
from schemas.base import Frozen
from services.dossier.demands import Stand, demands_of, refusal_standing, words_in
from services.dossier.improvement import dossier_of
from services.dossier.patch import changes_in
from services.dossier.shelf import Shelf
from services.dossier.suites import suites_of
from services.gateway.api.deciding import fact_of
from services.gateway.api.reading import found_improvement
from services.gateway.http.commands import Why, record
from services.gateway.http.lists import At
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, LOOKING, Call, Route
from services.gateway.pages.drawing import drawn
from services.gateway.pages.forms import back_to
from services.gateway.pages.moment import moment_of
from services.gateway.pages.outage import events_of, state_of
from services.gateway.pages.parts import withheld
from services.gateway.pages.rendering import page
from services.runtime.log import Loaded
from services.steering.decisions import Decision, possible, refusal

PLACE = "/ai/improvements"
SHOWN_EVENTS = 200
NAMES = {
    Decision.APPROVE: "Let it land",
    Decision.DECLINE: "Refuse it",
    Decision.ROLL_BACK: "Take it back",
    Decision.RETRY: "Try it again",
}


class Decided(Why):
    """A decision, and the version of the improvement that was looked at."""

    version: Annotated[int, Field(ge=1)]


class Moved(Frozen):
    """A move of the release branch that the improvement was part of, and what its health command said."""

    row: DeploymentRow
    command: str = ""
    exit_code: int | None = None
    output: str = ""


class Spent(Frozen):
    """What all calls for an improvement took together; costs count where a price is paid."""

    tokens_in: int
    tokens_out: int
    cost_micros: int


class RawEvent(Frozen):
    """An event of the improvement as it stands on the log."""

    seq: int
    name: str
    text: str


async def detail(call: Call) -> web.StreamResponse:
    """Show one improvement. What is sealed stands on the pages of its engine calls."""
    moment = await moment_of(call)
    seq = moment.at_seq
    row = await found_improvement(call, seq)
    book, views, id = call.desk.book, call.desk.views, row.id
    state = await state_of(call.desk, IMPROVEMENT, id, seq)
    shelf = Shelf(book, opens=False, bears_outages=True)
    suites = await suites_of(shelf, await state_of(call.desk, TARGET, row.target, seq), state)
    wants = withheld(call)
    moves = () if wants["deployments"] else await _moves(call, shelf, row.target, id, seq)
    one = await dossier_of(shelf, views, id, state, seq, diff=True)
    runs = () if wants["calls"] else await views.runs(id, at_seq=seq)
    decisions = () if seq else possible(state, book.clock())
    demands = demands_of(one)
    return page(
        call,
        "improvement.html",
        moment=moment,
        row=row,
        one=one,
        demands=demands,
        refused=bool(refusal_standing(one)),
        beyond=words_in(refusal_standing(one)),
        told=[refusal.reason for refusal in one.refusals],
        unmet=sum(demand.unmet for demand in demands),
        failed=[demand for demand in demands if demand.stands is Stand.FAILED],
        open=[demand.gate for demand in demands if demand.stands is Stand.OPEN],
        drawing=drawn(one.components),
        changes=changes_in(one.diff),
        suites=suites,
        moves=moves,
        runs=runs,
        spent=_spent(runs),
        raw=() if wants["raw"] else await _raw(call, id, seq),
        decisions=[(each.value, NAMES[each], each is not Decision.APPROVE) for each in decisions],
    )


async def _moves(call: Call, shelf: Shelf, target: str, id: str, seq: int | None) -> tuple[Moved, ...]:
    rows = await call.desk.views.deployments(target, seq)
    found = []
    for row in rows:
        if id not in row.improvements:
            continue
        health = (await state_of(call.desk, DEPLOYMENT, row.id, seq)).health
        if health is None:
            found.append(Moved(row=row))
            continue
        said = await shelf.text(health.output)
        found.append(Moved(row=row, command=health.command, exit_code=health.exit_code, output=said))
    return tuple(found)


def _spent(runs: tuple[RunRow, ...]) -> Spent:
    return Spent(
        tokens_in=sum(run.tokens_in for run in runs),
        tokens_out=sum(run.tokens_out for run in runs),
        cost_micros=sum(run.cost_micros for run in runs if run.billing == "price"),
    )


async def _raw(call: Call, id: str, seq: int | None) -> tuple[RawEvent, ...]:
    shown = (await events_of(call.desk, IMPROVEMENT.name, id, seq))[-SHOWN_EVENTS:]
    return tuple(
        RawEvent(
            seq=one.seq,
            name=one.envelope.type,
            text=orjson.dumps(orjson.loads(one.envelope.encode()), option=orjson.OPT_INDENT_2).decode(),
        )
        for one in shown
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
    Route(
        "GET",
        f"{PLACE}/{{id}}",
        detail,
        LOOKING,
        Scope.IMPROVEMENTS,
        "One",
        query=At,
        conditional=True,
        page=True,
    ),
    *(_decision(one) for one in Decision),
)
