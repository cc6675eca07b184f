"""The web hooks: what GitHub, n8n's workflows and other systems deliver.

Rules
1. 202 is answered after a delivery is stored, 200 where it was stored before. Nothing else says it is taken.
2. Whatever is refused is recorded, together with its like, and so is whatever is signed and broken.
3. No token is needed: who signs shares a secret. Where there is none, there is no such web hook.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from uuid import NAMESPACE_URL, uuid5

import structlog
from aiohttp import web

from schemas.access import Scope
from schemas.base import Frozen
from schemas.delivery import Source
from services.gateway.http.problems import Problem
from services.gateway.http.route import ANYBODY, Call, Header, Reply, Route
from services.gateway.metering.custom import Kept, out_of_time
from services.gateway.webhooks.arrived import Arrived, NoJson, Unfit, from_github, from_n8n, from_system
from services.gateway.webhooks.signing import NotSigned, by_digest, by_standard
from services.gateway.webhooks.storing import Reused, store
from services.runtime.log import NoSecret
from services.vault.keyring import WrongSecret

PATH = "/api/webhooks"
NOT_SET_UP = "this web hook is not set up"
SETTING = {
    Source.GITHUB: "GITHUB_WEBHOOK_SECRET",
    Source.N8N: "N8N_WEBHOOK_SECRET",
    Source.SYSTEM: "APS_WEBHOOK_SECRET",
}
HUB_SIGNATURE, APS_SIGNATURE = "X-Hub-Signature-256", "X-APS-Signature-256"
OTHER_BODY = "something else was delivered under this id before"

log = structlog.get_logger()
Which = Callable[[tuple[bytes, ...], bytes, web.Request, Call], int]
Reading = Callable[[Call, bytes, bool], Arrived]


class Taken(Frozen):
    """A delivery that is on the log; `stored` is false where it was there before."""

    delivery: str
    stored: bool


async def take(source: Source, which: Which, reading: Reading, call: Call) -> Reply:
    """Store a delivery that is signed."""
    try:
        arrived = await _arrived(source, which, reading, call)
        stored = await _stored(call, arrived)
        await _measured(call, arrived)
    except Problem as refused:
        if refused.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            await _tell(source, call, refused.detail)
        raise
    status = HTTPStatus.ACCEPTED if stored else HTTPStatus.OK
    return Reply(Taken(delivery=arrived.id, stored=stored), status)


async def _arrived(source: Source, which: Which, reading: Reading, call: Call) -> Arrived:
    intake = call.desk.webhooks
    secrets = intake.secrets[source]
    if not secrets:
        raise Problem(HTTPStatus.NOT_FOUND, f"{NOT_SET_UP}: {SETTING[source]} is not set")
    body = await intake.bodies.read(call.request)
    try:
        arrived = reading(call, body, which(secrets, body, call.request, call) > 0)
        if arrived.metric and (wrong := out_of_time((arrived.metric,), call.desk.book.clock())):
            raise Unfit("its time is not taken", wrong)
    except NotSigned as refused:
        raise Problem(HTTPStatus.UNAUTHORIZED, str(refused)) from refused
    except NoJson as broken:
        raise Problem(HTTPStatus.BAD_REQUEST, str(broken), errors=broken.errors) from broken
    except Unfit as unfit:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(unfit), errors=unfit.errors) from unfit
    return arrived


async def _stored(call: Call, arrived: Arrived) -> bool:
    try:
        return await store(call.desk.book, arrived)
    except Reused as reused:
        raise Problem(HTTPStatus.CONFLICT, OTHER_BODY, errors=(str(reused),)) from reused
    except (NoSecret, WrongSecret) as problem:
        told = f"what is delivered is kept sealed, and cannot be: {problem}"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, told) from problem


async def _measured(call: Call, arrived: Arrived) -> None:
    """Keep what a delivery measured, once; one that comes again makes up for what was not taken before."""
    if arrived.metric is None:
        return
    kept = Kept(at=call.desk.book.clock(), by=arrived.id, measurements=(arrived.metric,))
    await call.desk.metering.sending.put(uuid5(NAMESPACE_URL, arrived.id).hex, kept)
    call.desk.metering.counting.tell()


async def _tell(source: Source, call: Call, why: str) -> None:
    headers, address = call.request.headers, call.request.remote or ""
    event = headers.get("X-GitHub-Event", "") or call.request.match_info.get("workflow_id", "")
    key = headers.get("X-GitHub-Delivery", "") or headers.get("webhook-id", "")
    log.info("a delivery was refused", source=source.value, why=why, address=address)
    await call.desk.webhooks.refusals.tell(source, why, address, event, key)


def _by_header(header: str, secrets: tuple[bytes, ...], body: bytes, request: web.Request, _: Call) -> int:
    return by_digest(secrets, body, request.headers.get(header, ""))


def _by_standard(secrets: tuple[bytes, ...], body: bytes, request: web.Request, call: Call) -> int:
    id, timestamp, signatures = (
        request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    return by_standard(secrets, body, id, timestamp, signatures, call.desk.book.clock())


def _github(call: Call, body: bytes, former: bool) -> Arrived:
    return from_github(call.request.headers, body, former=former)


def _n8n(call: Call, body: bytes, former: bool) -> Arrived:
    return from_n8n(call.named("workflow_id"), body, former=former)


def _system(call: Call, body: bytes, former: bool) -> Arrived:
    return from_system(call.request.headers, body, former=former)


def _signed(signature: str, *others: Header) -> tuple[Header, ...]:
    return (
        Header(signature, "`sha256=` and the HMAC of the body in hexadecimal digits.", required=True),
        *others,
    )


def _hook(
    path: str, summary: str, source: Source, which: Which, reading: Reading, headers: tuple[Header, ...]
) -> Route:
    return Route(
        "POST",
        f"{PATH}/{path}",
        partial(take, source, which, reading),
        ANYBODY,
        Scope.SYSTEM,
        summary,
        headers=headers,
        answers={HTTPStatus.ACCEPTED: Taken, HTTPStatus.OK: Taken},
        problems=(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        ),
        signed=True,
    )


ROUTES = (
    _hook(
        "github",
        "Take what GitHub delivers",
        Source.GITHUB,
        partial(_by_header, HUB_SIGNATURE),
        _github,
        _signed(
            HUB_SIGNATURE,
            Header(
                "X-GitHub-Delivery", "The id of the delivery: what comes again is stored once.", required=True
            ),
            Header("X-GitHub-Event", "What happened.", required=True),
        ),
    ),
    _hook(
        "n8n/{workflow_id}",
        "Take what a workflow of n8n's delivers",
        Source.N8N,
        partial(_by_header, APS_SIGNATURE),
        _n8n,
        _signed(APS_SIGNATURE),
    ),
    _hook(
        "system",
        "Take a message signed by Standard Webhooks",
        Source.SYSTEM,
        _by_standard,
        _system,
        (
            Header("webhook-id", "The id of the message: what comes again is stored once.", required=True),
            Header("webhook-timestamp", "When it was sent, in seconds since 1970.", required=True),
            Header(
                "webhook-signature", "`v1,` and the signature; several with spaces between.", required=True
            ),
        ),
    ),
)
