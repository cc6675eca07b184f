"""Pulls what a durable consumer has to deliver.

The client library's own pull takes a message for a status of the server when its publisher gave it a header
`Status`: one such message would keep a role from all that follows. Here a status is what has no way to be
acknowledged: the server alone sends such a thing to an inbox of ours.

A request that should wait and is answered by a status at once (the server is too busy, or has a leader to
choose) is followed by a pause, so that a lasting refusal makes nobody ask without end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

NANOSECONDS = 1_000_000_000
SOON = 0.5  # of the time a request may wait: what ends it before is a refusal
ACKNOWLEDGED_AT = "$JS.ACK."
GRACE_SECONDS = 1.0  # for the server's word that a request is over


class Deliveries:
    """One role's pulls over one connection. Made by `deliveries`."""

    def __init__(
        self,
        connection: Client,
        stream: str,
        durable: str,
        inbox: str,
        answers: asyncio.Queue[Msg],
        pause: float,
    ) -> None:
        self._connection = connection
        self._pause = pause
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._where = (stream, durable)
        self._inbox = inbox
        self._answers = answers

    async def fetch(self, most: int, seconds: float) -> list[Msg]:
        """Return up to `most` messages that are there, or the first that comes within `seconds`, or none."""
        found = await self._ask({"batch": most, "no_wait": True}, most, GRACE_SECONDS)
        if found:
            return found
        clock = asyncio.get_running_loop().time
        begun = clock()
        found = await self._ask(
            {"batch": 1, "expires": int(seconds * NANOSECONDS)}, 1, seconds + GRACE_SECONDS
        )
        if not found and clock() - begun < seconds * SOON:
            await asyncio.sleep(self._pause)
        return found

    async def require(self) -> None:
        """Raise `nats.js.errors.NotFoundError` where the consumer is gone: it is silent for ever then."""
        await self._connection.jetstream().consumer_info(*self._where)

    async def _ask(self, wanted: dict[str, object], most: int, seconds: float) -> list[Msg]:
        await self._connection.publish(self._next, orjson.dumps(wanted), reply=self._inbox)
        found: list[Msg] = []
        with suppress(TimeoutError):
            while len(found) < most:
                # not `next_msg`: it waits by `wait_for`, which may lose a cancellation when a message comes
                async with asyncio.timeout(seconds):
                    message = await self._answers.get()
                if not message.reply.startswith(ACKNOWLEDGED_AT):
                    break
                found.append(message)
        return found


@asynccontextmanager
async def deliveries(
    connection: Client, stream: str, durable: str, pause: float = 1.0
) -> AsyncIterator[Deliveries]:
    """Give the deliveries of a durable consumer for the time of the block. Raises as `require` does.

    `pause` is how many seconds a request is not repeated that was refused at once.
    """
    inbox = connection.new_inbox()
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await connection.subscribe(inbox, cb=answers.put)
    try:
        found = Deliveries(connection, stream, durable, inbox, answers, pause)
        await found.require()
        yield found
    finally:
        with suppress(nats.errors.Error):
            await subscription.unsubscribe()
