"""Runs the roles a decision needs until its outcome stands, and shows what happens meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from nats.aio.client import Client

from events.catalogue import UnknownFact, read_fact
from events.improvement_facts import ChangeRolledBack
from events.lease import LEASE_FACTS
from events.store import Recorded
from events.unreadable import address_of
from projections.views.summary import summary
from services.cli.desk import LogDesk
from services.cli.invocation import invocation
from services.cli.session import Exit, Stop, say, words
from services.cli.standstill import Standstill
from services.cli.swarm.running import swarm
from services.runtime.ending import end
from services.steering.letters import given_up, letters

POLL_SECONDS = 0.2


async def follow(
    desk: LogDesk,
    roles: Sequence[str],
    ids: Sequence[str],
    done: Callable[[], Awaitable[bool]],
    seconds: int,
) -> None:
    """Run `roles` until `done`; ends the command when a role gives an event up or `seconds` are over.

    What was asked for stands on the log all the same: any running service goes on with it.
    """
    earlier = await letters(desk.connection)
    head = await desk.book.store.head()
    telling = asyncio.create_task(_tell(desk, head, frozenset(ids)))
    try:
        async with swarm(desk.ground, roles) as running:
            await _until(desk, done, running, earlier[-1].number if earlier else 0, seconds)
    finally:
        await end(telling)


async def _until(
    desk: LogDesk,
    done: Callable[[], Awaitable[bool]],
    running: asyncio.Task[None],
    last_letter: int,
    seconds: int,
) -> None:
    began, standstill = time.monotonic(), Standstill()
    with words.status("working") if words.is_terminal else contextlib.nullcontext() as status:
        while not await done():
            await standstill.look(desk.book)
            waited = time.monotonic() - began
            if status is not None:
                status.update(f"{waited:3.0f} s  working")
            if seconds and waited > seconds:
                raise Stop(Exit.TIMED_OUT, f"not done after {seconds} s; any running service goes on with it")
            buried = await letters(desk.connection, last_letter)
            if buried:
                raise Stop(Exit.FAILED, given_up(buried[0], invocation()))
            if (await asyncio.wait({running}, timeout=POLL_SECONDS))[0]:
                running.result()
                raise Stop(Exit.FAILED, "the services stopped before it was done; see: aps logs")


async def refuse_given_up(connection: Client, id: str) -> None:
    """End the command when a role gave up on an event of the aggregate and was not given it again since."""
    for letter in await letters(connection):
        if not letter.replayed and address_of(letter.subject).id == id:
            raise Stop(Exit.FAILED, given_up(letter, invocation()))


async def _tell(desk: LogDesk, after: int, ids: frozenset[str]) -> None:
    """Say each event on these improvements as it comes; claims are left aside."""
    async with aclosing(desk.book.store.live(after)) as events:  # type: ignore[type-var]  # the port promises less than a generator
        async for event in events:
            if event.envelope.address.id in ids and (text := told(event)):
                say(f"  {event.envelope.address.id}: {text}")


def told(event: Recorded) -> str:
    """Return an event in a person's words; nothing for a claim."""
    try:
        fact = read_fact(event.envelope)
    except UnknownFact as unknown:
        return str(unknown)
    if isinstance(fact, ChangeRolledBack):
        return _gone(fact)
    return "" if isinstance(fact, LEASE_FACTS) else summary(fact)


def _gone(fact: ChangeRolledBack) -> str:
    stands = f"; the branch stands at {fact.commit[:10]}" if fact.commit else ""
    return f"not on the branch: {fact.method}{stands}" if " " in fact.method else f"taken back{stands}"
