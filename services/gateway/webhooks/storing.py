"""Stores a delivery, sealed, once: the log's own order decides which of two that come at once is the first.

Rules
1. It is on the log when `store` returns, or `store` raises.
2. What comes again under an id is not stored again; where it is something else, that is told.
3. What was sent is sealed under the key of its web hook and day, so that a day can be forgotten; where that
   key was deleted already, under a key of the delivery's own.
"""

from uuid import NAMESPACE_URL, uuid5

from events.delivery import DELIVERY, Received
from events.envelope import Cause
from events.store import Conflict, Position
from schemas.artefacts import ArtefactRef
from schemas.sealed import Sealed
from services.gateway.webhooks.arrived import Arrived
from services.gateway.webhooks.refusals import day_of
from services.runtime.ground import actor
from services.runtime.log import Change, Loaded, Log
from services.runtime.tracing import current
from services.vault.keyring import KeyDeleted

INLINE_BYTES = 48 * 1024
MEDIA_TYPE = "application/json"
NEW: Loaded[object] = Loaded(DELIVERY.initial, Position())


class Reused(Exception):  # noqa: N818 -- what was found
    """Something else was delivered under this id before."""


async def store(book: Log, arrived: Arrived) -> bool:
    """Put a delivery on the log; whether it is new there. Raises `Reused`, and as sealing and the log do."""
    if len(arrived.body) > INLINE_BYTES and await _is_known(book, arrived):
        return False
    fact = await _sealed(book, arrived)
    cause = Cause(
        actor=f"{actor('gateway')}/{arrived.source}",
        source="aps/gateway",
        correlation=str(uuid5(NAMESPACE_URL, f"aps/delivery/{arrived.id}")),
        traceparent=current(),
    )
    try:
        await book.record_on([(Change(DELIVERY, arrived.id, (fact,)), NEW)], cause)
    except Conflict:
        if await _is_known(book, arrived):
            return False
        raise
    return True


async def _is_known(book: Log, arrived: Arrived) -> bool:
    known = (await book.state(DELIVERY, arrived.id)).received
    if known is not None and known.body_sha256 != arrived.body_sha256:
        raise Reused(f"{arrived.key} was delivered before, and was something else")
    return known is not None


async def _sealed(book: Log, arrived: Arrived) -> Received:
    try:
        sealed, payload = await _kept(book, arrived, f"delivery/{arrived.source}-{day_of(book.clock())}")
    except KeyDeleted:
        sealed, payload = await _kept(book, arrived, f"delivery/{arrived.id}")
    return Received(
        source=arrived.source,
        key=arrived.key,
        event=arrived.event,
        about=arrived.about,
        size=len(arrived.body),
        body_sha256=arrived.body_sha256,
        former_secret=arrived.former_secret,
        sealed=sealed,
        payload=payload,
    )


async def _kept(book: Log, arrived: Arrived, subject: str) -> tuple[Sealed | None, ArtefactRef | None]:
    if len(arrived.body) <= INLINE_BYTES:
        return await book.conceal(arrived.body.decode(), subject), None
    return None, await book.keep(arrived.body, f"{arrived.id}.json", MEDIA_TYPE, sealed_for=subject)
