"""The work that agents from outside do: offered, claimed, renewed, told of, delivered, given back.

Rules
1. Whoever lost a claim, or never had it, is answered 409 whatever they send: the claim's token is the fence.
2. A patch is text of bounded length, and is judged by the same gates as any change.
3. What a claimer is given was written by others: it is marked as their words.
"""

from datetime import timedelta
from http import HTTPStatus

from events.agent import AGENT, Progressed
from events.envelope import Envelope
from events.improvement import IMPROVEMENT, Improvement
from events.target import TARGET
from schemas.access import Scope
from schemas.base import Frozen
from schemas.improvement import Status
from services.changes.brief import Brief, brief
from services.changes.keeping import keep_patch
from services.gateway.api.agents import own_id, present
from services.gateway.api.work_forms import (
    Claimed,
    Claiming,
    Delivery,
    GivingBack,
    Offer,
    Renewing,
    Telling,
    Until,
    Words,
    WorkState,
)
from services.gateway.http.commands import ONCE, Accepted, cause_of, done_before, loaded, replayed
from services.gateway.http.lists import Order, Page, Paged, page_of
from services.gateway.http.problems import Problem
from services.gateway.http.route import WORKING, Call, Handler, Reply, Route
from services.prompting.material import Material
from services.runtime.log import NoSecret
from services.steering import outside
from services.vault.keyring import KeyDeleted, WrongSecret

PATH = "/api/work"
CLOSED = (NoSecret, WrongSecret, KeyDeleted)
BY_RANK = Order[Offer]("work", (str, int, str), lambda one: (one.target, one.rank, one.improvement))


async def offers(call: Call) -> Reply:
    """Answer the work that is open now, by target and rank."""
    await present(call)
    book = call.desk.book
    rows = await call.desk.views.improvements(None, Status.ARCHITECTURE_COMPLETE, None)
    states = await book.states(IMPROVEMENT, [row.id for row in rows])
    found = [
        Offer(
            improvement=row.id,
            target=row.target,
            title=row.title,
            rank=row.rank,
            risk=row.risk,
            attempt=len(states[row.id].refusals) + 1,
        )
        for row in rows
        if not outside.why_closed(states[row.id], book.clock())
    ]
    at = (await call.desk.views.checkpoint()).seq
    return Reply(page_of(found, BY_RANK, call.query, at))


async def claim(call: Call) -> Reply:
    """Claim work, and be given what it needs."""
    await present(call)
    id, agent, cause = call.named("id"), own_id(call), cause_of(call)
    await loaded(call, IMPROVEMENT, id)
    lease = timedelta(seconds=call.body.seconds)
    state = await call.desk.book.state(IMPROVEMENT, id)
    if before := await done_before(call, IMPROVEMENT, id, cause):
        token = before.sequence
    elif closed := outside.why_closed(state, call.desk.book.clock()):
        raise Problem(HTTPStatus.CONFLICT, f"{id}: {closed}")
    else:
        await _told(call, id)  # what cannot be told is not claimed
        token = await outside.take(call.desk.book, agent, id, lease, cause)
    headers = {"Location": f"{PATH}/{id}", **replayed(repeated=before is not None)}
    return Reply(await _claimed(call, id, agent, token), HTTPStatus.CREATED, headers)


async def _told(call: Call, id: str) -> Brief | None:
    """Return what the writer is told; None before the improvement is designed. Raises `Problem`."""
    book = call.desk.book
    state = await book.state(IMPROVEMENT, id)
    if state.design is None or state.discovered is None:
        return None
    try:
        return await brief(book, await book.state(TARGET, state.discovered.target), state)
    except CLOSED as problem:
        told = f"what is sealed cannot be read: {problem}"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, told) from problem


async def _claimed(call: Call, id: str, agent: str, token: int) -> Claimed:
    book = call.desk.book
    state, told = await book.state(IMPROVEMENT, id), await _told(call, id)
    held = outside.claim_of(state, agent, token, book.clock())
    found = state.discovered
    assert found is not None  # noqa: S101 -- claimed, so discovered
    assert told is not None  # noqa: S101 -- claimed, so designed
    return Claimed(
        improvement=id,
        claim=token,
        lease_until=held.lease_until,
        target=found.target,
        project=told.title,
        base=found.base,
        request=found.why,
        requirements=tuple(one.text for one in state.requirements.requirements) if state.requirements else (),
        behaviours=tuple(told.behaviours),
        proof=told.proof,
        plan=told.plan,
        refusals=tuple(told.bug_reports),
        context=tuple(_words(one) for one in told.context),
    )


def _words(one: Material) -> Words:
    return Words(kind=one.kind, where=one.where, text=one.fenced)


async def show(call: Call) -> Reply:
    """Answer what became of work."""
    id = call.named("id")
    state: Improvement = (await loaded(call, IMPROVEMENT, id)).state
    assert state.status is not None  # noqa: S101 -- it has events
    told = WorkState(
        improvement=id,
        status=state.status,
        held_by=state.claim.agent if state.claim else "",
        delivered=state.delivered is not None,
        refusals=len(state.refusals),
        reason=state.reason,
    )
    return Reply(told)


async def renew(call: Call) -> Reply:
    """Hold a claim longer."""
    body, id, cause = call.body, await _known(call), cause_of(call)
    if before := await done_before(call, IMPROVEMENT, id, cause):
        return Reply(Until(lease_until=before.data["lease_until"]), headers=replayed(repeated=True))
    until = await outside.renew(
        call.desk.book, own_id(call), id, body.claim, timedelta(seconds=body.seconds), cause
    )
    return Reply(Until(lease_until=until))


async def progress(call: Call) -> Reply:
    """Tell how far the work is."""
    body, id, cause = call.body, await _known(call), cause_of(call)
    if before := await done_before(call, AGENT, own_id(call), cause):
        return await _accepted(call, id, before)
    told = Progressed(improvement=id, claim=body.claim, percent=body.percent, note=body.note)
    await outside.progress(call.desk.book, own_id(call), told, cause)
    return await _accepted(call, id)


async def release(call: Call) -> Reply:
    """Give work back unfinished."""
    body, id, cause = call.body, await _known(call), cause_of(call)
    if before := await done_before(call, IMPROVEMENT, id, cause):
        return await _accepted(call, id, before)
    await outside.give_back(call.desk.book, own_id(call), id, body.claim, body.reason, cause)
    return await _accepted(call, id)


async def finish(call: Call) -> Reply:
    """Deliver the change; the Developer makes a commit of it, and QA proves it as any other."""
    body: Delivery = call.body
    id, agent, cause = await _known(call), own_id(call), cause_of(call)
    if before := await done_before(call, IMPROVEMENT, id, cause):
        return await _accepted(call, id, before)
    book = call.desk.book
    outside.claim_of(await book.state(IMPROVEMENT, id), agent, body.claim, book.clock())
    try:
        patch = await keep_patch(book, id, f"{id}.delivered.patch", body.patch.encode())
    except CLOSED as problem:
        told = f"a secret seems to stand in it, and it cannot be sealed: {problem}"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, told) from problem
    proofs: dict[str, tuple[str, ...]] = {}
    for one in body.proofs:
        behaviour = " ".join(one.behaviour.split())
        proofs[behaviour] = (*proofs.get(behaviour, ()), *one.tests)
    await outside.deliver(book, agent, id, body.claim, patch, body.summary, proofs, cause)
    return await _accepted(call, id)


async def _known(call: Call) -> str:
    await present(call)
    await loaded(call, IMPROVEMENT, call.named("id"))
    return call.named("id")


async def _accepted(call: Call, id: str, before: Envelope | None = None) -> Reply:
    see, version = f"{PATH}/{id}", (await loaded(call, IMPROVEMENT, id)).position.version
    if before is not None and before.address.aggregate == IMPROVEMENT.name:
        version = before.sequence
    repeated = before is not None
    value = Accepted(aggregate=IMPROVEMENT.name, id=id, version=version, see=see, repeated=repeated)
    return Reply(value, HTTPStatus.ACCEPTED, {"Location": see, **replayed(repeated=repeated)})


def _doing(
    what: str, handler: Handler, summary: str, body: type[Frozen], status: HTTPStatus, made: object
) -> Route:
    return Route(
        "POST",
        f"{PATH}/{{id}}/{what}",
        handler,
        WORKING,
        Scope.TASKS,
        summary,
        body=body,
        headers=ONCE,
        answers={status: made},
        problems=(HTTPStatus.CONFLICT,),
    )


OK, CREATED, ACCEPTED = HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED
ROUTES = (
    Route(
        "GET",
        PATH,
        offers,
        WORKING,
        Scope.TASKS,
        "List work that is open to agents",
        query=Paged,
        answers={OK: Page[Offer]},
        problems=(HTTPStatus.CONFLICT,),
    ),
    Route(
        "GET",
        f"{PATH}/{{id}}",
        show,
        WORKING,
        Scope.TASKS,
        "Show what became of work",
        answers={OK: WorkState},
    ),
    _doing("claim", claim, "Claim work", Claiming, CREATED, Claimed),
    _doing("renew", renew, "Hold a claim longer", Renewing, OK, Until),
    _doing("progress", progress, "Tell how far work is", Telling, ACCEPTED, Accepted),
    _doing("finish", finish, "Deliver a change", Delivery, ACCEPTED, Accepted),
    _doing("release", release, "Give work back", GivingBack, ACCEPTED, Accepted),
)
