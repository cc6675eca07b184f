"""Inserts whose outcome is unknown: a wire that loses questions or answers, a server that is killed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent, Tracking

from events.recorder import Factory
from events.recorder.connection import ThreadedConnection
from events.recorder.loop import LoopThread
from events.recorder.recorders import JetStreamApplicationRecorder
from tests.log_server import LogServer
from tests.lossy_wire import Wire


class ThreadedWire(Wire):
    """A wire on a thread of its own, for clients that block theirs."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.thread = LoopThread("wire")
        self.port = self.thread.call(self.begin)

    def close(self) -> None:
        self.thread.close(self.cut)


@pytest.fixture
def wire(running: LogServer) -> Iterator[ThreadedWire]:
    made = ThreadedWire(running.port)
    yield made
    made.close()


@pytest.fixture
def factory(wire: ThreadedWire) -> Iterator[Factory]:
    url = f"nats://admin:p-admin@127.0.0.1:{wire.port}"
    made = Factory({"NATS_URL": url, "NATS_STREAM": f"T{uuid4().hex}"})
    yield made
    made.close()


def stored(id: UUID | str, *versions: int) -> list[StoredEvent]:
    return [StoredEvent(id, version, "topic", b"{}") for version in versions]


LOST_ANSWER = b'"stream":"T'  # what the server says of messages it stored
LOST_COMMIT = b"Nats-Batch-Commit"


@pytest.mark.parametrize(
    ("which", "marker", "versions"),
    [
        ("answer", LOST_ANSWER, (1,)),
        ("answer", LOST_ANSWER, (1, 2, 3)),
        ("question", b"Eventsourcing-Topic", (1,)),
        ("question", LOST_COMMIT, (1, 2, 3)),
    ],
    ids=["the answer to one", "the answer to a batch", "one", "a batch"],
)
def test_what_was_lost_on_the_way_is_stored_once(
    factory: Factory, wire: ThreadedWire, which: str, marker: bytes, versions: tuple[int, ...]
) -> None:
    recorder = factory.application_recorder()
    wire.lose[which] = marker
    assert recorder.insert_events(stored("a", *versions)) == list(versions)
    assert wire.cuts == 1
    assert recorder.max_notification_id() == len(versions)
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored("a", *versions))


def test_the_same_event_of_another_is_a_conflict_though_the_answer_was_lost(
    factory: Factory, wire: ThreadedWire, running: LogServer
) -> None:
    recorder = factory.application_recorder()
    recorder.insert_events(stored("a", 1))
    wire.lose["answer"] = b"wrong last sequence"
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored("a", 1))
    assert wire.cuts == 1


def test_a_lost_answer_to_many_is_told_to_each(factory: Factory, wire: ThreadedWire) -> None:
    recorder = factory.application_recorder()
    recorder.insert_events(stored("taken", 1))
    ready = Barrier(41)

    def insert(id: str) -> int | None:
        ready.wait()
        try:
            return (recorder.insert_events(stored(id, 1, 2)) or [0])[0]
        except IntegrityError:
            return None

    with ThreadPoolExecutor(41) as threads:
        wire.lose["answer"] = LOST_ANSWER
        first = list(threads.map(insert, ["taken", *(f"i{n}" for n in range(40))]))
    assert first[0] is None
    assert sorted(number for number in first if number) == list(range(2, 82, 2))
    assert wire.cuts == 1
    assert recorder.max_notification_id() == 81


def test_a_position_whose_answer_was_lost_is_recorded(factory: Factory, wire: ThreadedWire) -> None:
    recorder = factory.tracking_recorder()
    wire.lose["answer"] = LOST_ANSWER
    recorder.insert_tracking(Tracking("upstream", 7))
    assert wire.cuts == 1
    assert recorder.max_tracking_id("upstream") == 7
    with pytest.raises(IntegrityError):
        recorder.insert_tracking(Tracking("upstream", 7))


def test_a_server_killed_under_many_writers_loses_nothing_and_stores_nothing_twice(
    running: LogServer,
) -> None:
    url = running.url.replace("nats://", "nats://admin:p-admin@")
    factory = Factory({"NATS_URL": url, "NATS_STREAM": f"T{uuid4().hex}"})
    recorder = factory.application_recorder()
    done: dict[str, int] = {}
    counted = dict.fromkeys(range(8), 0)
    enough = Barrier(9)

    def write(number: int) -> None:
        for version in range(1, 241):
            recorder.insert_events(stored(f"w{number}", version))
            counted[number] = version
            if version == 40:
                enough.wait()
        done[f"w{number}"] = 240

    threads = [Thread(target=write, args=(number,)) for number in counted]
    for thread in threads:
        thread.start()
    enough.wait()
    for _ in range(3):
        running.kill()
        running.start()
    for thread in threads:
        thread.join()
    assert done == {f"w{number}": 240 for number in counted}
    notifications = recorder.select_notifications(None, 10_000)
    assert [n.id for n in notifications] == list(range(1, 8 * 240 + 1))
    for name in done:
        versions = [n.originator_version for n in notifications if n.originator_id == name]
        assert versions == list(range(1, 241))
    factory.close()


def test_a_server_that_stays_away_is_told_after_the_patience(factory: Factory, wire: ThreadedWire) -> None:
    factory.application_recorder().insert_events(stored("a", 1))
    connection = ThreadedConnection(f"nats://admin:p-admin@127.0.0.1:{wire.port}", patience=1.0)
    recorder = JetStreamApplicationRecorder(connection, factory.env[Factory.NATS_STREAM])
    assert recorder.max_notification_id() == 1
    wire.thread.call(wire.cut)
    with pytest.raises(OperationalError, match="does not answer"):
        recorder.select_events("a")
    with pytest.raises(OperationalError, match="may or may not be stored"):
        recorder.insert_events(stored("a", 2))
    connection.close()
