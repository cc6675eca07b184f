"""The stream `APS` for `eventsourcing` applications: every fact as a stored event, read and never written.

It reads by the port of the log, so it checks what the services' own store checks: hashes that link,
sequences without gaps. An aggregate's id is the envelope's subject (`improvement/sim201-1`), its version
the envelope's sequence, its topic the envelope's type, its state the envelope as it stands on the log.
A message that is no event is passed over.
"""

from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    DataError,
    InternalError,
    ListenNotifySubscription,
    Notification,
    NotSupportedError,
    OperationalError,
    StoredEvent,
)

from events.recorder.connection import Bell
from events.recorder.loop import Loop, T, Work
from events.store import Broken, EventStore, Recorded, Unavailable
from events.subjects import STREAM, token
from events.unreadable import is_unreadable

PAGE = 1000

READ_ONLY = (
    f"the stream {STREAM} is read-only for eventsourcing applications: its facts are appended by the "
    "services' own store, under the rules of their aggregates. Set NATS_STREAM to a stream of your own"
)


class LogRecorder(ApplicationRecorder):
    """Reads the log, up to sequence `until` where that is given: the world as it was then."""

    def __init__(
        self, store: EventStore, loop: Loop, bell: Bell | None = None, until: int | None = None
    ) -> None:
        """`store` is used on `loop` alone; `bell` is for subscriptions."""
        self._store = store
        self._loop = loop
        self._bell = bell
        self._until = until

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> NoReturn:
        """Raise `NotSupportedError`."""
        raise NotSupportedError(READ_ONLY)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the facts of one aggregate by version; `originator_id` is `<aggregate>/<id>`."""
        aggregate, id = named(originator_id)
        found = self._ask(lambda: self._facts_of(aggregate, id))
        start = 0 if gt is None else max(gt, 0)
        chosen = found[start:] if lte is None else found[start : max(lte, 0)]
        return [_notification(event) for event in (reversed(chosen) if desc else chosen)][:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return facts in the order of the log; a notification's id is its sequence."""
        after = max((start or 0) - inclusive_of_start, 0)
        return self._ask(lambda: self._notifications(after, limit, stop, frozenset(topics)))

    def max_notification_id(self) -> int | None:
        """Return the last sequence there is to be seen."""
        return self._ask(self._end) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LogSubscription":
        """Return an iterator over facts that waits for new ones."""
        if self._bell is None:
            raise NotSupportedError(
                "this recorder was made without a bell, so nothing would wake a subscription"
            )
        return LogSubscription(self, self._bell, gt, topics)

    async def _facts_of(self, aggregate: str, id: str) -> Sequence[Recorded]:
        if self._until is None:
            return (await self._store.read(aggregate, id))[0]
        return (await self._store.as_of(aggregate, id, self._until))[0]

    async def _notifications(
        self, after: int, limit: int, stop: int | None, topics: frozenset[str]
    ) -> list[Notification]:
        head = await self._end()
        end = head if stop is None else min(stop, head)
        found: list[Notification] = []
        while len(found) < limit and after < end:
            until = min(end, after + (PAGE if topics else limit - len(found)))
            page = [event async for event in self._store.read_all(after, until)]
            found += [_notification(event) for event in page if _is_fact(event, topics)]
            after = until
        return found[:limit]

    async def _end(self) -> int:
        head = await self._store.head()
        return head if self._until is None else min(head, self._until)

    def _ask(self, work: Work[T]) -> T:
        try:
            return self._loop.call(work)
        except Unavailable as problem:
            raise OperationalError(str(problem)) from problem
        except Broken as problem:
            raise InternalError(str(problem)) from problem


class LogSubscription(ListenNotifySubscription[LogRecorder]):
    """Facts as they come, whoever appends them."""

    def __init__(self, recorder: LogRecorder, bell: Bell, gt: int | None, topics: Sequence[str]) -> None:
        """Start to pull after sequence `gt`."""
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._bell = bell
        bell.listen(self._has_been_notified)

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._bell.unlisten(self._has_been_notified)


def named(originator_id: UUID | str) -> tuple[str, str]:
    """Return aggregate and id; raise `DataError` for what names no aggregate of the log."""
    aggregate, _, id = str(originator_id).partition("/")
    try:
        return token(aggregate), token(id)
    except ValueError as problem:
        raise DataError(f"{originator_id!r} names no aggregate of the log: {problem}") from problem


def _is_fact(event: Recorded, topics: frozenset[str]) -> bool:
    return not is_unreadable(event.envelope) and (not topics or event.envelope.type in topics)


def _notification(event: Recorded) -> Notification:
    envelope = event.envelope
    return Notification(
        originator_id=envelope.subject,
        originator_version=envelope.sequence,
        topic=envelope.type,
        state=envelope.encode(),
        id=event.seq,
    )
