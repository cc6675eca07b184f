"""Makes recorders from an `eventsourcing` application's settings, and the streams they write to.

Settings, each also with the application's name before it (`BANK_NATS_STREAM`):
`NATS_URL`      where NATS is, with the credentials of a user that may create the streams
`NATS_STREAM`   the stream of the events; `<stream>_SNAPSHOTS` and `<stream>_TRACKING` stand beside it
`NATS_REPLICAS` of each stream, 1 unless set
`CREATE_TABLE`  the library's own word; `n` where the streams stand already

The stream `APS` is the log: it is read here, by the same store that the services read it with, and never
written.
"""

from datetime import UTC, datetime

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    ProcessRecorder,
    ProgrammingError,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from events.jetstream.log import JetStreamEventStore
from events.recorder.connection import Bell, ThreadedConnection
from events.recorder.log import LogRecorder
from events.recorder.recorders import (
    NO_PROCESS_RECORDER,
    JetStreamAggregateRecorder,
    JetStreamApplicationRecorder,
)
from events.recorder.stream import Json, Stream
from events.recorder.subjects import everything
from events.recorder.tracking import JetStreamTrackingRecorder
from events.subjects import DOORBELL, STREAM, token


class JetStreamFactory(InfrastructureFactory[JetStreamTrackingRecorder]):
    """Infrastructure on JetStream; connects when the first recorder is asked for."""

    NATS_URL = "NATS_URL"
    NATS_STREAM = "NATS_STREAM"
    NATS_REPLICAS = "NATS_REPLICAS"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        """Read the settings; raise `InfrastructureFactoryError` where one is missing."""
        super().__init__(env)
        self._url = self._needed(self.NATS_URL)
        try:
            self._stream = token(self._needed(self.NATS_STREAM))
        except ValueError as problem:
            raise InfrastructureFactoryError(f"{self.NATS_STREAM}: {problem}") from problem
        self._connection: ThreadedConnection | None = None

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Return a recorder of aggregates' events, or of another purpose (`snapshots`)."""
        if purpose == "events" and self._stream == STREAM:
            return self._log()
        stream = self._stream if purpose == "events" else f"{self._stream}_{token(purpose.upper())}"
        return JetStreamAggregateRecorder(self._connected(), self._standing(stream))

    def application_recorder(self) -> ApplicationRecorder:
        """Return a recorder of the application's events; on the stream `APS` it only reads."""
        if self._stream == STREAM:
            return self._log()
        return JetStreamApplicationRecorder(self._connected(), self._standing(self._stream))

    def tracking_recorder(
        self, tracking_recorder_class: type[JetStreamTrackingRecorder] | None = None
    ) -> JetStreamTrackingRecorder:
        """Return a tracking recorder, of the given class or that of the library's setting."""
        if tracking_recorder_class is None:
            topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
            tracking_recorder_class = resolve_topic(topic) if topic else JetStreamTrackingRecorder
        if not issubclass(tracking_recorder_class, JetStreamTrackingRecorder):
            raise ProgrammingError(f"{tracking_recorder_class} is no {JetStreamTrackingRecorder.__name__}")
        stream = self._standing(f"{self._stream}_TRACKING", keep=1)
        return tracking_recorder_class(self._connected(), stream)

    def process_recorder(self) -> ProcessRecorder:
        """Raise `NotImplementedError`: it would need one transaction over two streams."""
        raise NotImplementedError(NO_PROCESS_RECORDER)

    def close(self) -> None:
        """Close the connection; the recorders of this factory end with it."""
        connection, self._connection = getattr(self, "_connection", None), None
        if connection is not None:
            connection.close()

    def _log(self) -> LogRecorder:
        connection = self._connected()
        store = JetStreamEventStore(connection.client, lambda: datetime.now(UTC))
        return LogRecorder(store, connection.thread, Bell(connection, DOORBELL))

    def _connected(self) -> ThreadedConnection:
        if self._connection is None:
            self._connection = ThreadedConnection(self._url)
        return self._connection

    def _standing(self, stream: str, keep: int = -1) -> str:
        if strtobool(self.env.get(self.CREATE_TABLE, "y")):
            connection = self._connected()
            config = declared(stream, int(self.env.get(self.NATS_REPLICAS, "1")), keep)
            connection.call(lambda: Stream(connection.client, stream).create(config))
        return stream

    def _needed(self, name: str) -> str:
        if value := self.env.get(name):
            return value
        raise InfrastructureFactoryError(
            f"{name} is not set; the persistence module events.recorder needs it"
        )


def declared(stream: str, replicas: int, keep: int) -> Json:
    """Return a stream's settings; `keep` messages of each subject, -1 for all."""
    return {
        "name": stream,
        "description": "Events of an `eventsourcing` application."
        if keep < 0
        else "Positions, the last only.",
        "subjects": [everything(stream)],
        "retention": "limits",
        "storage": "file",
        "discard": "new" if keep < 0 else "old",
        "max_msgs_per_subject": keep,
        "num_replicas": replicas,
        "allow_direct": True,
        "allow_atomic": True,
        "deny_delete": True,
        "deny_purge": True,
    }
