"""Agents from outside: a token of that role registers as one, says what it can, and leaves."""

from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import Field

from events.agent import AGENT, MOST, OutsideAgent, Registered
from events.envelope import Envelope
from schemas.access import Role, Scope
from schemas.base import Frozen
from services.gateway.api.reading import seq_of, time_of
from services.gateway.api.roster import AgentState, agent, agents
from services.gateway.http.commands import ONCE, Why, because, cause_of, done_before, loaded, replayed
from services.gateway.http.lists import Order, Page, Paged, page_of
from services.gateway.http.problems import Problem
from services.gateway.http.route import LOOKING, WORKING, Call, Reply, Route
from services.steering.outside import leave

PATH = "/api/agents"
PRESENT_FIRST = Order[AgentState]("agents", (int, str), lambda one: (int(not one.present), one.id))
Word = Annotated[str, Field(min_length=1, max_length=100)]


class Registration(Frozen):
    """Who offers to work: for which role, what it can, and how much at once."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["developer"]
    capabilities: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    capacity: Annotated[int, Field(ge=1, le=MOST)] = 1


def own_id(call: Call) -> str:
    """Return the id of the agent that a token is."""
    assert call.holder is not None  # noqa: S101 -- its routes are open to nobody without a token
    return call.holder.id


async def present(call: Call) -> OutsideAgent:
    """Return the agent that sends a request. Raises `Problem` where it is not registered."""
    state = await call.desk.book.state(AGENT, own_id(call))
    if not state.present:
        raise Problem(HTTPStatus.CONFLICT, f"register first: POST {PATH}")
    return state


async def register(call: Call) -> Reply:
    """Register the sender as an agent."""
    wanted: Registration = call.body
    id, cause = own_id(call), cause_of(call)
    before = await done_before(call, AGENT, id, cause)
    if before is None:
        fact = Registered(
            title=wanted.title,
            role=wanted.role,
            capabilities=wanted.capabilities,
            capacity=wanted.capacity,
        )
        await call.desk.book.record(AGENT, id, fact, cause=cause)
    return Reply(await _told(call, id), HTTPStatus.CREATED, _headers(id, before))


async def show(call: Call) -> Reply:
    """Answer an agent; an agent sees itself alone."""
    id = call.named("id")
    if call.holder is not None and call.holder.role is Role.AGENT and id != call.holder.id:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no agent {id[:80]!r} that is you")
    return Reply(await _told(call, id))


async def go(call: Call) -> Reply:
    """Take no more work; what is still held is given back."""
    id, cause = own_id(call), cause_of(call)
    before = await done_before(call, AGENT, id, cause)
    if before is None:
        await present(call)
        await leave(call.desk.book, id, because(call, "left"), cause)
    return Reply(await _told(call, id), HTTPStatus.ACCEPTED, _headers(id, before))


def _headers(id: str, before: Envelope | None) -> dict[str, str]:
    return {"Location": f"{PATH}/{id}", **replayed(repeated=before is not None)}


async def listed(call: Call) -> Reply:
    """Answer all agents, those first who are registered now, or were at a moment."""
    asked, seq = call.query, await seq_of(call)
    book = call.desk.book
    rows = await agents(book, seq, book.clock() if seq is None else await time_of(call, seq))
    at = await book.store.head() if seq is None else seq
    return Reply(page_of(rows, PRESENT_FIRST, asked, at))


async def _told(call: Call, id: str) -> AgentState:
    await loaded(call, AGENT, id)
    found = await agent(call.desk.book, id, None, call.desk.book.clock())
    assert found is not None  # noqa: S101 -- the first fact of every agent is that it registered
    return found


ROUTES = (
    Route(
        "POST",
        PATH,
        register,
        WORKING,
        Scope.TASKS,
        "Register as an agent",
        body=Registration,
        headers=ONCE,
        answers={HTTPStatus.CREATED: AgentState},
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "POST",
        f"{PATH}/leave",
        go,
        WORKING,
        Scope.TASKS,
        "Leave, and give back what is held",
        body=Why,
        headers=ONCE,
        answers={HTTPStatus.ACCEPTED: AgentState},
        problems=(HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND),
    ),
    Route(
        "GET",
        PATH,
        listed,
        LOOKING,
        Scope.TASKS,
        "List agents",
        query=Paged,
        answers={HTTPStatus.OK: Page[AgentState]},
    ),
    Route(
        "GET",
        f"{PATH}/{{id}}",
        show,
        WORKING | LOOKING,
        Scope.TASKS,
        "Show an agent",
        answers={HTTPStatus.OK: AgentState},
    ),
)
