"""Puts messages into a stream: one by a publish, several as one atomic batch.

Rules
1. A commit returns the last sequence, or says why the outcome must be read back (`Uncertain`). `Refused`
   is the server's own word that nothing was stored now; it may have been stored before.
2. A refusal by permissions is silent on the wire: the connection's last error tells, after a ping.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import uuid4

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.jetstream.answers import Answers
from events.jetstream.wire import Message, in_batch, send_opening
from events.store import Denied

OPEN_BATCHES = 5  # the server allows 50 a stream, for all ten writers together
ANSWER_SECONDS = 2.0  # then it is read back, which is always right
ASK_SECONDS = 0.25  # an answer takes milliseconds; after this the server is asked whether it refused
LOST_SECONDS = 0.25  # what the server answered to a connection that broke never comes


class Uncertain(Exception):  # noqa: N818 -- says what is not known
    """The messages may or may not be stored; read back before anything else."""


class Refused(Uncertain):
    """The server answered, and did not store the messages now."""


class Committer:
    """The one place that writes to streams. The connection stays the caller's."""

    def __init__(self, connection: Client, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Bounds its open batches; share one committer among all who write to a stream on a connection."""
        self._connection = connection
        self._answer_seconds = answer_seconds
        self._batches = asyncio.Semaphore(OPEN_BATCHES)
        self._answers = Answers(connection)

    @property
    def is_connected(self) -> bool:
        """Whether a commit has a chance now."""
        return bool(self._connection.is_connected)

    async def commit(self, messages: Sequence[Message]) -> int:
        """Store all messages or none; return the sequence of the last. Raises `Uncertain`, `Denied`."""
        if not self.is_connected:
            raise Uncertain("the connection is down")  # and nothing is left to be sent when it comes back
        error_before = self._connection.last_error
        try:
            if len(messages) == 1:
                answer = await self._ask(messages, messages[0].headers, error_before)
            else:
                async with self._batches:
                    answer = await self._ask_batch(messages, error_before)
        except (nats.errors.Error, TimeoutError) as problem:
            raise Uncertain(str(problem) or type(problem).__name__) from problem
        found = orjson.loads(answer.data)
        if "error" in found:
            self._check_permission(messages, error_before)
            raise Refused(f"{found['error']['description']} ({found['error'].get('err_code')})")
        if found.get("duplicate") or found.get("count", 1) != len(messages):
            raise Refused("the server has seen these messages before")
        return int(found["seq"])

    async def ring(self, doorbell: str) -> None:
        """Tell whoever follows the log that there is something new; nobody depends on it."""
        if self._connection.is_connected:
            with suppress(nats.errors.Error):  # followers also look by themselves
                await self._connection.publish(doorbell)

    async def _ask_batch(self, messages: Sequence[Message], error_before: Exception | None) -> Msg:
        batch = uuid4().hex
        await send_opening(self._connection, messages, batch)
        closing = {**in_batch(messages[-1], batch, len(messages)), "Nats-Batch-Commit": "1"}
        return await self._ask(messages, closing, error_before)

    async def _ask(
        self, messages: Sequence[Message], headers: Mapping[str, str], error_before: Exception | None
    ) -> Msg:
        last = messages[-1]
        reconnects = self._connection.stats["reconnects"]
        inbox, answer = await self._answers.expect()
        try:
            sent = dict(headers) or None  # headers that are empty would still take room
            await self._connection.publish(last.subject, last.body, reply=inbox, headers=sent)
            await asyncio.wait((answer,), timeout=ASK_SECONDS)
            if not answer.done():
                rest = self._answer_seconds - ASK_SECONDS
                await self._connection.flush(max(1, int(self._answer_seconds)))
                self._check_permission(messages, error_before)
                lost = self._connection.stats["reconnects"] > reconnects
                await asyncio.wait((answer,), timeout=LOST_SECONDS if lost else rest)
            if not answer.done():
                raise TimeoutError("no answer")
            return answer.result()
        finally:
            self._answers.forget(inbox)

    def _check_permission(self, messages: Sequence[Message], error_before: Exception | None) -> None:
        error = self._connection.last_error
        if error is None or error is error_before:
            return
        text = str(error).lower()  # the client library lowers the server's words
        for message in messages:
            if "permissions violation for publish" in text and f'"{message.subject.lower()}"' in text:
                raise Denied(f"this user may not record {message.subject}")
