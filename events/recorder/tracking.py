"""How far the notifications of other applications were processed: one subject an application.

Only the last of a subject is kept. A position only grows: the server refuses a writer that has not seen
the last one, and an unanswered write is settled by reading back.
"""

from eventsourcing.persistence import IntegrityError, OperationalError, Tracking, TrackingRecorder

from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import EXPECTED, Stored
from events.jetstream.wire import Message
from events.recorder import subjects
from events.recorder.connection import ThreadedConnection
from events.recorder.inserting import MARK, new_mark
from events.recorder.stream import Stream
from events.store import Denied

ATTEMPTS = 100  # each lost to another writer, or to a server that does not answer for seconds


class JetStreamTrackingRecorder(TrackingRecorder):
    """Keeps tracking positions in a stream of their own."""

    def __init__(self, connection: ThreadedConnection, stream: str) -> None:
        """The stream stands; the connection stays the caller's."""
        self._connection = connection
        self._stream = Stream(connection.client, stream)
        self._committer = Committer(connection.client)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record a position. Raises `IntegrityError` unless it is beyond what is recorded."""
        self._connection.thread.call(lambda: self._insert(tracking))

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the position recorded for an application."""
        last = self._connection.call(lambda: self._stream.last(self._subject(application_name)))
        return None if last is None else int(last.body)

    async def _insert(self, tracking: Tracking) -> None:
        mark, subject = new_mark(), self._subject(tracking.application_name)
        wanted = tracking.notification_id
        for _ in range(ATTEMPTS):
            last = await self._connection.patiently(lambda: self._stream.last(subject))
            if last is not None and last.headers.get(MARK) == mark:
                return
            if last is not None and int(last.body) >= wanted:
                raise IntegrityError(f"{subject}: {wanted} is not beyond {int(last.body)}, which is recorded")
            try:
                await self._committer.commit([_message(subject, wanted, mark, last)])
            except Denied as problem:
                raise OperationalError(str(problem)) from problem
            except Uncertain as problem:
                why = self._connection.reason(problem)
            else:
                return
        raise OperationalError(f"{subject}: position {wanted} is not taken: {why}")

    def _subject(self, application: str) -> str:
        return subjects.tracked(self._stream.name, application)


def _message(subject: str, position: int, mark: str, last: Stored | None) -> Message:
    expected = "0" if last is None else str(last.seq)
    return Message(subject, str(position).encode(), {EXPECTED: expected, MARK: mark})
