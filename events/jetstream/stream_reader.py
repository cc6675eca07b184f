"""Reads stored messages of one JetStream stream by direct get, without a consumer.

Rules
1. Reads are repeated until `patience` is over: a request lost in a reconnect is asked again.
2. What has a sequence is a message, whatever its own headers say: who publishes may write `Status` there.
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.store import Gone, Unavailable
from events.trail import earlier

API = "$JS.API"
STREAM_NOT_FOUND = 10059  # the server's error codes
MESSAGE_NOT_FOUND = 10037
TRY_SECONDS = 2.0
PAUSE_SECONDS = 0.1
PAGE = 1000
PAGE_BYTES = 8 * 1024 * 1024
END = "204"
NOT_FOUND = "404"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
SEQUENCE = "Nats-Sequence"  # the server writes it after the headers that a message came with

T = TypeVar("T")
_sequence = re.compile(r"[0-9]{1,19}")


class Stored(NamedTuple):
    """A message as the stream keeps it."""

    seq: int
    subject: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def expected(self) -> int | None:
        """The concurrency header it was stored with, None where that leads to no place before this one.

        The server looks at the first of several such headers alone; the others hold what they like.
        """
        found = self.headers.get(EXPECTED, "")
        return int(found) if _sequence.fullmatch(found) and int(found) < self.seq else None

    @property
    def earlier(self) -> tuple[int, ...]:
        """Where its trail says that earlier events of the same aggregate stand, newest first."""
        return earlier(self.seq, self.headers)


class Coming(NamedTuple):
    """A page that was asked for."""

    after: int
    limit: int
    messages: "asyncio.Task[list[Stored]]"


class Collected:
    """Answers to direct gets as they come in, until all are there."""

    def __init__(self, asked: int, keep: Callable[[Msg], Stored], *, has_end: bool) -> None:
        """A batch has an end of its own, a status; of single gets there are as many answers as `asked`.

        Of each message is held what `keep` makes of it.
        """
        self.messages: list[Stored] = []
        self._keep = keep
        self.statuses: list[str] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked = asked
        self._has_end = has_end

    @property
    def count(self) -> int:
        """How many answers came."""
        return len(self.messages) + len(self.statuses)

    async def receive(self, message: Msg) -> None:
        """Take one answer."""
        headers = message.headers or {}
        if SEQUENCE in headers:
            self.messages.append(self._keep(message))
            if self._has_end:
                return
        else:
            self.statuses.append(headers.get("Status", "none"))
        if (self._has_end or self.count == self._asked) and not self.ended.done():
            self.ended.set_result(None)


class StreamReader:
    """Direct gets on one stream; `patience` in seconds bounds each call."""

    def __init__(
        self, connection: Client, stream: str, patience: float = 10.0, *, replicated: bool = False
    ) -> None:
        """The connection stays the caller's. Of a `replicated` stream the leader is asked what is last:
        any replica answers a direct get, also one that has not all yet."""
        self._connection = connection
        self._stream = stream
        self._replicated = replicated
        self._direct = f"{API}.DIRECT.GET.{stream}"
        self._patience = patience

    async def head(self) -> int:
        """Return the last sequence of the stream."""
        return int((await self._info())["state"]["last_seq"])

    async def made(self) -> str:
        """Return when the stream was made: another one of the same name was made at another time."""
        return str((await self._info())["created"])

    async def metadata(self) -> dict[str, str]:
        """Return what the stream's configuration has beside its settings, which only `admin` may write."""
        return dict((await self._info())["config"].get("metadata") or {})

    async def counts(self, subjects: str) -> dict[str, int]:
        """Return how many messages stand on each subject that matches."""
        found: dict[str, int] = {}
        while True:
            info = await self._info({"subjects_filter": subjects, "offset": len(found)})
            page = info["state"].get("subjects") or {}
            found.update(page)
            if not page or len(found) >= info.get("total", 0):
                return found

    async def _info(self, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = orjson.dumps(asked) if asked else b""
        answer = await self._patiently(lambda: self._request(f"{API}.STREAM.INFO.{self._stream}", body))
        found: dict[str, Any] = orjson.loads(answer.data)
        if "error" in found:
            kind = Gone if found["error"].get("err_code") == STREAM_NOT_FOUND else Unavailable
            raise kind(f"stream {self._stream}: {found['error']['description']}")
        return found

    async def at(self, seq: int) -> Stored | None:
        """Return the message at `seq`, None when it is not there."""
        return await self._one({"seq": seq})

    async def last(self, subjects: str) -> Stored | None:
        """Return the last message on `subjects`, which may hold wildcards."""
        body = {"last_by_subj": subjects}
        return await (self._patiently(lambda: self._of_leader(body)) if self._replicated else self._one(body))

    async def first_since(self, time: datetime) -> Stored | None:
        """Return the first message stored after `time`."""
        instant = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "001Z"
        return await self._one({"start_time": instant, "next_by_subj": ">"})

    async def lasts(self, subjects: str, until: int | None = None) -> list[Stored]:
        """Return the last message of each subject that matches, by sequence; up to `until` by a scan."""
        body: dict[str, Any] = {"multi_last": [subjects]}
        if until is not None:
            body["up_to_seq"] = until
        return await self._patiently(lambda: self._many(body, _stored))

    async def these(self, seqs: Sequence[int]) -> list[Stored]:
        """Return the messages at `seqs` that are there, in any order, in one round trip."""
        bodies = [orjson.dumps({"seq": seq}) for seq in seqs]
        return await self._patiently(lambda: self._each(bodies))

    async def page(self, after: int, limit: int, *, bare: bool = False, subjects: str = ">") -> list[Stored]:
        """Return up to `limit` messages after a sequence, in order; `bare` without their headers."""
        body = {"seq": after + 1, "batch": limit, "max_bytes": PAGE_BYTES, "next_by_subj": subjects}
        return await self._patiently(lambda: self._many(body, _bare if bare else _stored))

    async def pages(self, after: int, until: int, *, bare: bool = False) -> AsyncIterator[list[Stored]]:
        """Yield the messages with `after < seq <= until`, page by page, the next one under way already.

        At most two pages are held. Ends early, by an empty page, where the stream ends before `until`.
        """
        coming: Coming | None = None
        try:
            while after < until:
                page, coming = coming or self._coming(after, until, bare), None
                full = page.after + page.limit
                if full < until:
                    coming = self._coming(full, until, bare)
                messages = await page.messages
                if coming is not None and (not messages or messages[-1].seq != full):
                    coming.messages.cancel()  # the page was cut by its size: go on where it ended
                    coming = None
                yield messages
                if not messages:
                    return
                after = messages[-1].seq
        finally:
            if coming is not None:
                coming.messages.cancel()

    def _coming(self, after: int, until: int, bare: bool) -> Coming:
        limit = min(PAGE, until - after)
        return Coming(after, limit, asyncio.ensure_future(self.page(after, limit, bare=bare)))

    async def _one(self, body: dict[str, Any]) -> Stored | None:
        asked = orjson.dumps(body)
        return await self._patiently(lambda: self._answer(asked))

    async def _answer(self, asked: bytes) -> Stored | None:
        try:
            answer = await self._request(self._direct, asked)
        except nats.errors.NoRespondersError:
            # the client library raises it for a message with that `Status` as well
            return next(iter(await self._each([asked])), None)
        return _stored(answer) if SEQUENCE in (answer.headers or {}) else None

    async def _of_leader(self, body: dict[str, Any]) -> Stored | None:
        answer = await self._request(f"{API}.STREAM.MSG.GET.{self._stream}", orjson.dumps(body))
        found = orjson.loads(answer.data)
        if "error" in found:
            if found["error"].get("err_code") == MESSAGE_NOT_FOUND:
                return None
            raise nats.errors.Error(f"stream {self._stream}: {found['error']['description']}")
        message = found["message"]
        content = b64decode(message.get("data", ""))
        return Stored(
            message["seq"], message["subject"], content, _headers(b64decode(message.get("hdrs", "")))
        )

    async def _request(self, subject: str, body: bytes) -> Msg:
        return await self._connection.request(subject, body, timeout=TRY_SECONDS)

    async def _many(self, body: dict[str, Any], keep: Callable[[Msg], Stored]) -> list[Stored]:
        """Ask for a batch: messages, then a status."""
        found, statuses = await self._collect([orjson.dumps(body)], keep, has_end=True)
        if statuses[0] not in (END, NOT_FOUND):
            raise nats.errors.Error(f"direct get from {self._stream}: status {statuses[0]}")
        return found

    async def _each(self, bodies: Sequence[bytes]) -> list[Stored]:
        """Ask for single messages: each is answered by a message or a status."""
        found, statuses = await self._collect(bodies, _stored, has_end=False)
        if strange := [status for status in statuses if status != NOT_FOUND]:
            raise nats.errors.Error(f"direct get from {self._stream}: status {strange[0]}")
        return found

    async def _collect(
        self, bodies: Sequence[bytes], keep: Callable[[Msg], Stored], *, has_end: bool
    ) -> tuple[list[Stored], list[str]]:
        answers = Collected(len(bodies), keep, has_end=has_end)
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, cb=answers.receive)
        try:
            for body in bodies:
                await self._connection.publish(self._direct, body, reply=inbox)
            seen = -1
            while not answers.ended.done():
                if seen == (seen := answers.count):
                    raise TimeoutError(f"direct get from {self._stream}: silent after {seen} messages")
                await asyncio.wait((answers.ended,), timeout=TRY_SECONDS)
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()
        return answers.messages, answers.statuses

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


def _headers(block: bytes) -> dict[str, str]:
    """Read headers as they stand on the wire, below their first line."""
    lines = [line.partition(":") for line in block.decode().split("\r\n")[1:] if line]
    return {name: value.strip() for name, _, value in lines}


def _stored(message: Msg) -> Stored:
    headers = message.headers or {}
    return Stored(int(headers[SEQUENCE]), headers["Nats-Subject"], message.data, headers)


def _bare(message: Msg) -> Stored:
    # thousands of dictionaries held for nothing would be walked by every collection of garbage
    headers = message.headers or {}
    return Stored(int(headers[SEQUENCE]), headers["Nats-Subject"], message.data)
