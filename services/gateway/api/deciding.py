"""What people decide: about improvements, claims, engine calls, and whether work goes on at all."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field

from events.catalogue import AGGREGATES, MAY_RECORD
from events.fact import Fact
from events.improvement import IMPROVEMENT, Improvement
from events.improvement_facts import Reprioritised
from events.lease import Claim, WorkReleased
from events.run import RUN, Cancelled
from events.swarm import ALL, SWARM, Paused, Resumed
from events.target import TARGET
from events.target import Paused as TargetPaused
from events.target import Resumed as TargetResumed
from schemas.access import Scope
from schemas.base import Frozen
from services.gateway.api.swarm import PATH as SWARM_STATE
from services.gateway.http.commands import (
    ONCE_AS_SEEN,
    PROBLEMS,
    Accepted,
    Why,
    because,
    record,
)
from services.gateway.http.problems import Problem
from services.gateway.http.route import DECIDING, Call, Handler, Reply, Route
from services.runtime.log import Loaded
from services.steering.decisions import ASKED, FACTS, Decision, refusal

RELEASABLE = tuple(name for name, facts in MAY_RECORD["gateway"].items() if WorkReleased in facts)
ACCEPTED = {HTTPStatus.ACCEPTED: Accepted}


class Rank(Why):
    """The new rank; 1 comes first."""

    rank: Annotated[int, Field(ge=1, le=1_000_000)]


async def decide(decision: Decision, call: Call) -> Reply:
    """Record what is decided about an improvement; the roles carry it out."""
    id = call.named("id")
    decided = partial(fact_of, decision, call)
    return await record(call, IMPROVEMENT, id, decided, f"/api/improvements/{id}", refusal)


def fact_of(decision: Decision, call: Call, found: Loaded[Improvement]) -> Fact:
    """Return the fact that a decision records, with its reason."""
    fact = FACTS[decision](found.state, "")
    return fact.model_copy(update={"reason": because(call, ASKED[type(fact)])})


async def prioritise(call: Call) -> Reply:
    """Change the rank of an unfinished improvement."""
    id, fact = call.named("id"), Reprioritised(rank=call.body.rank, reason=because(call, "ranked anew"))
    return await record(call, IMPROVEMENT, id, fact, f"/api/improvements/{id}", refusal)


async def release(call: Call) -> Reply:
    """Release the running claim on an aggregate; its holder can then neither renew nor finish."""
    name, id = call.named("aggregate"), call.named("id")
    if name not in RELEASABLE:
        raise Problem(HTTPStatus.NOT_FOUND, f"claims are released on: {', '.join(RELEASABLE)}")

    def released(found: Loaded[Any]) -> Fact:
        claim: Claim | None = found.state.claim
        if claim is None:
            raise Problem(HTTPStatus.CONFLICT, f"nobody holds a claim on {name} {id}")
        return WorkReleased(claim=claim.token, reason=because(call, "released"))

    return await record(call, AGGREGATES[name], id, released, f"/api/tasks?aggregate={name}")


async def cancel(call: Call) -> Reply:
    """Cancel an engine call; whoever makes it sees it and ends it."""
    id = call.named("id")
    return await record(call, RUN, id, Cancelled(reason=because(call, "cancelled")), "/api/runs")


async def pause_target(call: Call) -> Reply:
    """Let no new work begin on one target."""
    id = call.named("id")
    return await record(call, TARGET, id, TargetPaused(reason=because(call, "paused")), SWARM_STATE)


async def resume_target(call: Call) -> Reply:
    """Let work on one target begin again."""
    return await record(call, TARGET, call.named("id"), TargetResumed(), SWARM_STATE)


async def pause(call: Call) -> Reply:
    """Let no new work begin at all: the kill switch."""
    return await record(call, SWARM, ALL, Paused(reason=because(call, "paused")), SWARM_STATE, first=True)


async def resume(call: Call) -> Reply:
    """Let new work begin again."""
    return await record(call, SWARM, ALL, Resumed(), SWARM_STATE, first=True)


def _command(path: str, handler: Handler, scope: Scope, summary: str, body: type[Frozen] = Why) -> Route:
    return Route(
        "POST",
        path,
        handler,
        DECIDING,
        scope,
        summary,
        body=body,
        headers=ONCE_AS_SEEN,
        answers=ACCEPTED,
        problems=PROBLEMS,
    )


WHAT = {
    Decision.APPROVE: "Let a proven change land",
    Decision.DECLINE: "Refuse a proven change",
    Decision.ROLL_BACK: "Take a landed change back",
    Decision.RETRY: "Try an ended improvement again",
}
ROUTES = (
    *(
        _command(f"/api/improvements/{{id}}/{one}", partial(decide, one), Scope.IMPROVEMENTS, WHAT[one])
        for one in Decision
    ),
    _command(
        "/api/improvements/{id}/priority",
        prioritise,
        Scope.IMPROVEMENTS,
        "Change an improvement's rank",
        Rank,
    ),
    _command("/api/tasks/{aggregate}/{id}/release", release, Scope.TASKS, "Release a claim on work"),
    _command("/api/runs/{id}/cancel", cancel, Scope.TASKS, "Cancel an engine call"),
    _command("/api/targets/{id}/pause", pause_target, Scope.IMPROVEMENTS, "Pause a target"),
    _command("/api/targets/{id}/resume", resume_target, Scope.IMPROVEMENTS, "Let work on a target go on"),
    _command("/api/pause", pause, Scope.SYSTEM, "Halt all new work at once"),
    _command("/api/resume", resume, Scope.SYSTEM, "Let new work begin again"),
)
