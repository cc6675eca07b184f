"""Answers to what was published with a reply: one subscription, a future for each question.

The client library's `request` gives up for good at its time-out. Here who waits may look around in
between (was it a refusal that is silent on the wire?) and go on waiting for the same answer.
"""

import asyncio

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

NO_RESPONDERS = "503"


class Answers:
    """Hands each answer to who asked; its subscription lives as long as the connection."""

    def __init__(self, connection: Client) -> None:
        """Subscribes at the first question."""
        self._connection = connection
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._asked = 0
        self._opening: asyncio.Task[str] | None = None

    async def expect(self) -> tuple[str, "asyncio.Future[Msg]"]:
        """Give an inbox and the future of the one answer to it; `forget` the inbox when done."""
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.ensure_future(self._open())
        prefix = self._opening.result() if self._opening.done() else await asyncio.shield(self._opening)
        self._asked += 1
        inbox = f"{prefix}.{self._asked}"
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[inbox] = answer
        return inbox, answer

    def forget(self, inbox: str) -> None:
        """Drop an answer that may still come."""
        del self._waiting[inbox]

    async def _open(self) -> str:
        prefix: str = self._connection.new_inbox()
        await self._connection.subscribe(f"{prefix}.*", cb=self._receive)
        return prefix

    async def _receive(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject)
        if answer is None or answer.done():
            return
        if message.headers and message.headers.get("Status") == NO_RESPONDERS:
            answer.set_exception(nats.errors.NoRespondersError())
        else:
            answer.set_result(message)
