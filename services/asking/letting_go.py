"""Tells whether a call that was stopped let go of its place and its reservations, and settles one that died.

Rules
1. A call lets go when whoever makes it ends it. Nobody else can tell a slow holder from a dead one until the
   lease is over: that moment is all that can be promised.
2. A call whose lease is over is settled at once (`burying`), not at somebody's next look.
"""

import asyncio
from datetime import datetime

from events.engine import ENGINE, CallBegun, CallEnded
from events.fact import Rejected
from events.store import Conflict
from events.subjects import slug
from services.asking.burying import bury
from services.runtime.log import Log


async def held(book: Log, engine: str, run: str) -> CallBegun | None:
    """Return the place that a run holds with its engine, None where it holds none."""
    return (await book.state(ENGINE, slug(engine))).calls.get(run)


async def let_go(book: Log, engine: str, run: str, actor: str, seconds: float = 0.0) -> datetime | None:
    """Wait so long until a run holds nothing; return None then, else the end of its lease."""
    head = await book.store.head()
    call = await held(book, engine, run)
    if call is None or (book.clock() >= call.lease_until and await _settled(book, engine, run, actor)):
        return None
    try:
        async with asyncio.timeout(seconds):
            await _ended(book, engine, run, head)
    except TimeoutError:
        return call.lease_until
    return None


async def _settled(book: Log, engine: str, run: str, actor: str) -> bool:
    try:
        await bury(book, engine, actor)
    except (Conflict, Rejected):  # somebody was faster, with this call or with another
        return await held(book, engine, run) is None
    return True


async def _ended(book: Log, engine: str, run: str, after: int) -> None:
    async for event in book.store.live(after):
        where = event.envelope.address
        if (where.aggregate, where.id, where.fact) != (ENGINE.name, slug(engine), CallEnded.name):
            continue
        if await held(book, engine, run) is None:
            return
