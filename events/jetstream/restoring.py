"""Puts a log back into its stream: the same sequences, subjects and bodies, and the way back between them.

Rules
1. Every batch names the sequence it follows: nothing that came in between is overwritten or mixed up.
2. Each event gets the concurrency header, the trail and the id that it had; events of one aggregate that
   stand together count as one append.
3. Each carries when it was stored first (`Aps-Stored-At`), never before the one before it. The stream's
   metadata name the restored sequences, batch by batch, each before it is written: an interrupted restore
   goes on from them.
4. Memory grows with the aggregates, not with the events.
5. A message that is no event is put back like any other; it has no id, and the time of the one before it
   where no other is known.
6. A body over the size of any event is no event's. It goes alone and without headers, for which the server
   may have no room left.
"""

import asyncio
from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client

from events.appending import MAX_EVENT_BYTES
from events.envelope import Unreadable, decode
from events.jetstream.committer import Committer, Uncertain
from events.jetstream.moments import RESTORED, STORED_AT, Restored, is_moment, moment, restored, stored_at
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.jetstream.streams import note
from events.jetstream.wire import Message
from events.store import Broken, Unavailable
from events.subjects import STREAM
from events.trail import LENGTH, PART, TRAIL, trail_after

AT_ONCE = 500
BYTES_AT_ONCE = 4 * 1024 * 1024
LONGEST_APPEND = 1000
FOLLOWS = "Nats-Expected-Last-Sequence"
TRIES = 5
PAUSE_SECONDS = 0.5


class NotEmpty(Exception):  # noqa: N818 -- what was found
    """There is another log already; the message says what to do."""


@dataclass(frozen=True)
class Kept:
    """A message of the log as it was kept elsewhere; `stored` is when the stream took it, if known."""

    seq: int
    subject: str
    body: bytes
    stored: str = ""


class Batches:
    """Makes messages of what was kept, in batches that the server takes as they are. Pure."""

    def __init__(self, after: int = 0, time: datetime | None = None) -> None:
        """What is added first has the sequence `after` + 1 and was not stored before `time`."""
        self._last = after
        self.known = 0
        self._time = time or datetime.min.replace(tzinfo=UTC)
        self._past: dict[str, tuple[int, ...]] = {}
        self._append: tuple[str, int, tuple[int, ...]] = ("", 0, ())
        self._messages: list[Message] = []
        self._aggregates: set[str] = set()
        self._bytes = 0

    @property
    def last(self) -> int:
        """The sequence of the last message that was added."""
        return self._last

    def know(self, kept: Kept) -> None:
        """Take in an event that stands on the stream already; the last one's sequence is `known`."""
        self.known = kept.seq
        where = _aggregate(kept.subject)
        self._past[where] = (*self._past.get(where, ())[1 - LENGTH :], kept.seq)

    def add(self, kept: Kept) -> Iterator[list[Message]]:
        """Add a message; yield the batch before it where this one cannot be in it. Raises `Broken`."""
        if kept.seq != self._last + 1:
            raise Broken(f"sequence {self._last + 1} is missing; the next is {kept.seq}")
        if len(kept.body) > MAX_EVENT_BYTES:
            yield from self._alone(kept)
            return
        where = _aggregate(kept.subject)
        follows = bool(self._messages) and self._append[0] == where and self._append[1] < LONGEST_APPEND - 1
        is_full = len(self._messages) >= AT_ONCE or self._bytes + len(kept.body) > BYTES_AT_ONCE
        if self._messages and (is_full or (where in self._aggregates and not follows)):
            yield self.finish()
            follows = False
        headers = self._headers(kept, where, follows=follows)
        if not self._messages:
            headers[FOLLOWS] = str(self._last)
        self._messages.append(Message(kept.subject, kept.body, headers))
        self._aggregates.add(where)
        self._bytes += len(kept.body)
        self._last = kept.seq
        self.know(kept)

    def _alone(self, kept: Kept) -> Iterator[list[Message]]:
        if self._messages:
            yield self.finish()
        self._last = kept.seq
        self._append = ("", 0, ())
        self.know(kept)
        yield [Message(kept.subject, kept.body)]

    def finish(self) -> list[Message]:
        """Return what was not returned yet."""
        messages, self._messages = self._messages, []
        self._aggregates.clear()
        self._bytes = 0
        return messages

    def _headers(self, kept: Kept, where: str, *, follows: bool) -> dict[str, str]:
        past = self._past.get(where, ())
        if follows:
            self._append = (where, self._append[1] + 1, self._append[2])
        else:
            self._append = (where, 0, past)
        headers = dict(_id(kept.body))
        if self._append[2]:
            headers[TRAIL] = trail_after(self._append[2])
        if follows:
            headers[PART] = str(self._append[1])
        else:
            headers |= {EXPECTED: str(past[-1] if past else 0), f"{EXPECTED}-Subject": f"{where}.*"}
        return {**headers, STORED_AT: self._stored(kept)}

    def _stored(self, kept: Kept) -> str:
        told = kept.stored or _time(kept.body)
        if is_moment(told):
            self._time = max(self._time, moment(told).astimezone(UTC))
        return self._time.astimezone(UTC).isoformat(timespec="microseconds")


class Restoring:
    """Writes to the stream as `admin`, who may record every fact. The connection stays the caller's."""

    def __init__(self, connection: Client, stream: str = STREAM) -> None:
        """Nobody else may write meanwhile; who does is found out, and nothing is stored over it."""
        self._connection = connection
        self._stream = stream
        self._reader = StreamReader(connection, stream)
        self._committer = Committer(connection)

    async def restore(self, log: AsyncIterable[Kept]) -> int:
        """Put back what of `log` is not on the stream yet; return how many events that were.

        What is there must be the beginning of `log`. Raises `NotEmpty`, `Broken` or `Unavailable`.
        """
        head = await self._reader.head()
        before = await restored(self._reader)
        batches = Batches(head, await self._time_at(head, before))
        reached = head
        async for kept in log:
            if kept.seq <= head:
                batches.know(kept)
                if kept.seq == head:
                    await self._require_same(kept)
                continue
            for messages in batches.add(kept):
                await self._vouch(before, head, reached + len(messages))
                reached += await self._commit(messages, reached)
        if batches.known < head:
            raise NotEmpty(f"the log goes up to {head}, further than what is to be restored")
        messages = batches.finish()
        await self._vouch(before, head, reached + len(messages))
        return reached + await self._commit(messages, reached) - head

    async def _vouch(self, before: Restored, head: int, until: int) -> None:
        if until > head:
            await note(self._connection, self._stream, RESTORED, before.and_then(head, until).text)

    async def _time_at(self, head: int, before: Restored) -> datetime | None:
        stored = await self._reader.at(head) if head else None
        return moment(stored_at(stored, before)) if stored else None

    async def _require_same(self, kept: Kept) -> None:
        stored = await self._reader.at(kept.seq)
        if stored is None or (stored.subject, stored.body) != (kept.subject, kept.body):
            raise NotEmpty(f"the log there has another event at {kept.seq}: it is another log")

    async def _commit(self, messages: list[Message], before: int) -> int:
        if not messages:
            return 0
        last, reason = before + len(messages), ""
        for _ in range(TRIES):
            try:
                reached = await self._committer.commit(messages)
            except Uncertain as uncertain:
                reached = await self._reader.head()
                if reached == before:
                    reason = str(uncertain)
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
            if reached != last:
                raise Broken(f"somebody else writes to the log: it ends at {reached}, not at {last}")
            return len(messages)
        raise Unavailable(f"the events after {before} were not taken: {reason}")


def _aggregate(subject: str) -> str:
    return subject.rpartition(".")[0]


def _id(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield "Nats-Msg-Id", decode(body).id
    except Unreadable:
        return


def _time(body: bytes) -> str:
    try:
        return decode(body).time
    except Unreadable:
        return ""
