"""Reads stored messages of one JetStream stream by direct get, without a consumer.

Reads are repeated until `patience` is over: a request lost in a reconnect is asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.store import Unavailable

API = "$JS.API"
TRY_SECONDS = 2.0
PAUSE_SECONDS = 0.1
PAGE_BYTES = 8 * 1024 * 1024
EXPECTED = "Nats-Expected-Last-Subject-Sequence"

T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """A message as the stream keeps it. `expected` is the concurrency header it was stored with."""

    seq: int
    subject: str
    body: bytes
    expected: int | None


class StreamReader:
    """Direct gets on one stream; `patience` in seconds bounds each call."""

    def __init__(self, connection: Client, stream: str, patience: float = 10.0) -> None:
        """The connection stays the caller's."""
        self._connection = connection
        self._stream = stream
        self._direct = f"{API}.DIRECT.GET.{stream}"
        self._patience = patience

    async def head(self) -> int:
        """Return the last sequence of the stream."""
        answer = await self._patiently(lambda: self._request(f"{API}.STREAM.INFO.{self._stream}", b""))
        found = orjson.loads(answer.data)
        if "error" in found:
            raise Unavailable(f"stream {self._stream}: {found['error']['description']}")
        return int(found["state"]["last_seq"])

    async def at(self, seq: int) -> Stored | None:
        """Return the message at `seq`, None when it is not there."""
        return await self._one({"seq": seq})

    async def last(self, subjects: str) -> Stored | None:
        """Return the last message on `subjects`, which may hold wildcards."""
        return await self._one({"last_by_subj": subjects})

    async def first_since(self, time: datetime) -> Stored | None:
        """Return the first message stored after `time`."""
        instant = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "001Z"
        return await self._one({"start_time": instant, "next_by_subj": ">"})

    async def lasts(self, subjects: str) -> list[Stored]:
        """Return the last message of each subject that matches, by sequence."""
        return await self._patiently(lambda: self._many({"multi_last": [subjects]}))

    async def page(self, after: int, limit: int) -> list[Stored]:
        """Return up to `limit` messages after a sequence, in order."""
        body = {"seq": after + 1, "batch": limit, "max_bytes": PAGE_BYTES, "next_by_subj": ">"}
        return await self._patiently(lambda: self._many(body))

    async def _one(self, body: dict[str, Any]) -> Stored | None:
        answer = await self._patiently(lambda: self._request(self._direct, orjson.dumps(body)))
        return None if _status(answer) else _stored(answer)

    async def _request(self, subject: str, body: bytes) -> Msg:
        return await self._connection.request(subject, body, timeout=TRY_SECONDS)

    async def _many(self, body: dict[str, Any]) -> list[Stored]:
        found: list[Stored] = []
        ended: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        async def receive(message: Msg) -> None:
            if not _status(message):
                found.append(_stored(message))
            elif not ended.done():
                ended.set_result(message)

        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, cb=receive)
        try:
            await self._connection.publish(self._direct, orjson.dumps(body), reply=inbox)
            status = _status(await asyncio.wait_for(ended, TRY_SECONDS))
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()
        if status not in ("204", "404"):
            raise nats.errors.Error(f"direct get from {self._stream}: status {status}")
        return found

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            try:
                return await ask()
            except (nats.errors.Error, TimeoutError) as problem:
                if self._connection.is_closed or clock() >= deadline:
                    reason = str(problem) or type(problem).__name__
                    raise Unavailable(f"stream {self._stream} does not answer: {reason}") from problem
            await asyncio.sleep(PAUSE_SECONDS)


def _status(message: Msg) -> str:
    return (message.headers or {}).get("Status", "")


def _stored(message: Msg) -> Stored:
    headers = message.headers or {}
    expected = headers.get(EXPECTED)
    return Stored(
        seq=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        body=message.data,
        expected=None if expected is None else int(expected),
    )
