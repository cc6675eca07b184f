"""Recorders of stored events on a JetStream stream, as the `eventsourcing` library asks for them.

Rules
1. A notification's id is the sequence in the stream: from 1, without gaps, in the order of storing.
2. State is the message's body, topic a header; aggregate and version are the subject.
"""

from collections.abc import Sequence
from functools import lru_cache
from threading import Event
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    DataError,
    IntegrityError,
    InternalError,
    ListenNotifySubscription,
    Notification,
    NotSupportedError,
    StoredEvent,
    Tracking,
)

from events.jetstream.stream_reader import EXPECTED, Stored
from events.jetstream.wire import Message
from events.recorder import subjects
from events.recorder.connection import Bell, ThreadedConnection
from events.recorder.inserting import MARK, Insert, Inserter, new_mark
from events.recorder.stream import MAX_BATCH, Stream, TooMany

NO_PROCESS_RECORDER = (
    "a process recorder stores events and tracking in one transaction; here they lie in two streams, and "
    "JetStream's atomic batch covers one. Follow by a subscription and record the position with the result"
)
TOPIC = "Eventsourcing-Topic"
READABLE = "!#$&'()*+,/:;=?@[]<>^`{|}~"
HEADER_BYTES = 4096  # room for headers and subject beside the state


class JetStreamAggregateRecorder(AggregateRecorder):
    """Keeps the events of aggregates in one stream."""

    def __init__(self, connection: ThreadedConnection, stream: str) -> None:
        """The stream stands; the connection stays the caller's."""
        self._connection = connection
        self._stream = Stream(connection.client, stream)
        self._bell = Bell(connection, subjects.bell(stream))
        self._inserter = Inserter(connection, self._stream, self._bell)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **_: Any
    ) -> Sequence[int] | None:
        """Store all events or none. Raises `IntegrityError` where a version is there already."""
        self._insert(stored_events, tracking)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the events of one aggregate by version."""
        found = self._connection.call(lambda: self._events_of(originator_id, gt, lte))
        ordered = sorted(found, key=lambda event: event.originator_version, reverse=desc)
        return ordered[:limit]

    def _insert(self, stored_events: Sequence[StoredEvent], tracking: Tracking | None) -> list[int]:
        if tracking is not None:
            raise NotSupportedError(NO_PROCESS_RECORDER)
        if not stored_events:
            return []
        if len(stored_events) > MAX_BATCH:
            raise DataError(
                f"{len(stored_events)} events at once; {MAX_BATCH} is the limit of an atomic batch"
            )
        mark = new_mark()
        messages = tuple(self._message(event, mark) for event in stored_events)
        if len({message.subject for message in messages}) < len(messages):
            raise IntegrityError("one version of an aggregate is given twice")
        return list(self._inserter.insert(Insert(mark, messages)))

    def _message(self, event: StoredEvent, mark: str) -> Message:
        try:
            name = subjects.event(self._stream.name, event.originator_id, event.originator_version)
            topic = written_topic(event.topic)
        except ValueError as problem:
            raise DataError(str(problem)) from problem
        if len(event.state) > self._stream.max_payload - HEADER_BYTES:
            raise DataError(f"{name}: a state of {len(event.state)} bytes is over what the server takes")
        return Message(name, event.state, {EXPECTED: "0", MARK: mark, TOPIC: topic})

    async def _events_of(self, id: UUID | str, gt: int | None, lte: int | None) -> list[StoredEvent]:
        wildcard = subjects.events_of(self._stream.name, id)
        try:
            found = await self._stream.lasts([wildcard])
        except TooMany:
            names = [name for name in await self._stream.subjects(wildcard) if _within(name, gt, lte)]
            parts = [names[start : start + MAX_BATCH] for start in range(0, len(names), MAX_BATCH)]
            found = [stored for part in parts for stored in await self._stream.lasts(part)]
        return [_event(stored) for stored in found if _within(stored.subject, gt, lte)]


class JetStreamApplicationRecorder(JetStreamAggregateRecorder, ApplicationRecorder):
    """Keeps events in one stream and gives them in the order of storing, too."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **_: Any
    ) -> Sequence[int] | None:
        """Store all events or none and return their notification ids; raises as its base does."""
        return self._insert(stored_events, tracking)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return notifications by id. Raises `InternalError` where the stream lost one."""
        after = max((start or 0) - inclusive_of_start, 0)
        return self._connection.call(lambda: self._notifications(after, limit, stop, frozenset(topics)))

    def max_notification_id(self) -> int | None:
        """Return the id of the last notification."""
        return self._connection.call(self._stream.last_seq) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "JetStreamSubscription":
        """Return an iterator over notifications that waits for new ones."""
        return JetStreamSubscription(self, gt, topics)

    def listen(self, listener: Event) -> None:
        """Set `listener` whenever there may be new notifications."""
        self._bell.listen(listener)

    def unlisten(self, listener: Event) -> None:
        """Leave `listener` alone from now on."""
        self._bell.unlisten(listener)

    async def _notifications(
        self, after: int, limit: int, stop: int | None, topics: frozenset[str]
    ) -> list[Notification]:
        found: list[Notification] = []
        while len(found) < limit and (stop is None or after < stop):
            wanted = limit - len(found) if stop is None else min(limit - len(found), stop - after)
            page = await self._stream.page(after, wanted)
            if not page:
                break
            for stored in page:
                if stored.seq != after + 1:
                    raise InternalError(f"stream {self._stream.name}: sequence {after + 1} is missing")
                after = stored.seq
                if not topics or read_topic(stored.headers[TOPIC]) in topics:
                    found.append(_notification(stored))
        return found


class JetStreamSubscription(ListenNotifySubscription[JetStreamApplicationRecorder]):
    """Notifications as they come, from every process that writes to the stream."""

    def __init__(self, recorder: JetStreamApplicationRecorder, gt: int | None, topics: Sequence[str]) -> None:
        """Start to pull after notification `gt`."""
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        recorder.listen(self._has_been_notified)

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._recorder.unlisten(self._has_been_notified)


@lru_cache(maxsize=4096)
def written_topic(topic: str) -> str:
    """Return a topic as a header's value, readable where it is ASCII."""
    return quote(topic, safe=READABLE)


@lru_cache(maxsize=4096)
def read_topic(value: str) -> str:
    """Return the topic that `written_topic` was given."""
    return unquote(value)


def _within(subject: str, gt: int | None, lte: int | None) -> bool:
    version = int(subject.rpartition(".")[2])
    return (gt is None or version > gt) and (lte is None or version <= lte)


def _event(stored: Stored) -> StoredEvent:
    id, version = subjects.read_event(stored.subject)
    return StoredEvent(id, version, read_topic(stored.headers[TOPIC]), stored.body)


def _notification(stored: Stored) -> Notification:
    id, version = subjects.read_event(stored.subject)
    return Notification(id, version, read_topic(stored.headers[TOPIC]), stored.body, id=stored.seq)
