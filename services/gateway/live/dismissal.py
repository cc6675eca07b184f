"""Tells when somebody who listens may no longer: token or session ran out, was revoked or left.

Rules
1. The log says so: an event on the token is looked at as soon as the gateway has it.
2. While the log is away nobody is sent away for that; time goes on, and what was due is due.
"""

import asyncio
from datetime import datetime

from aiohttp import web

from events.access import ACCESS, Access
from events.store import Unavailable
from services.access.sessions import COOKIE
from services.gateway.desk import GatewayDesk
from services.gateway.http.route import Call

AGAIN_SECONDS = 1.0


async def dismissed(call: Call) -> None:
    """Return as soon as who sent this request may no longer be answered."""
    if call.holder is None:
        return
    desk, id = call.desk, call.holder.id
    while True:
        touched = desk.feed.next_of(ACCESS.name, id)  # before looking: nothing comes between
        try:
            left = await _seconds_left(desk, id, call.request)
        except (Unavailable, TimeoutError):
            left = AGAIN_SECONDS
        else:
            if left <= 0:
                return
        await asyncio.wait({touched}, timeout=left)
        touched.cancel()


async def _seconds_left(desk: GatewayDesk, id: str, request: web.Request) -> float:
    """Return how long the token, and the session it came with, are still worth something."""
    now, state = desk.book.clock(), await desk.book.state(ACCESS, id)
    if state.granted is None or state.why_not(now):
        return 0.0
    ends = [state.granted.expires_at, *_end_of_session(desk, request, state, now)]
    return (min(ends) - now).total_seconds()


def _end_of_session(
    desk: GatewayDesk, request: web.Request, state: Access, now: datetime
) -> tuple[datetime, ...]:
    if "Authorization" in request.headers:
        return ()
    session = desk.signer.read(request.cookies.get(COOKIE, ""), now)
    if session is None or state.has_left(session.nonce):
        return (now,)
    return (datetime.fromtimestamp(session.expires, now.tzinfo),)
