"""What the recorders promise beyond the library's own test cases, on a real server."""

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from uuid import UUID, uuid4

import orjson
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, DomainEventProtocol
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic

import nats
from events.jetstream.wire import Message
from events.recorder import Factory
from events.recorder.inserting import Insert, gather
from events.recorder.recorders import JetStreamApplicationRecorder
from events.recorder.stream import MAX_BATCH
from events.recorder.subjects import everything
from events.recorder.tracking import JetStreamTrackingRecorder
from tests.log_server import LogServer, started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("recorder"))
    yield log_server
    log_server.kill()


@pytest.fixture
def settings(server: LogServer) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "events.recorder",
        "NATS_URL": server.url.replace("nats://", "nats://admin:p-admin@"),
        "NATS_STREAM": f"T{uuid4().hex}",
    }


@pytest.fixture
def factory(settings: dict[str, str]) -> Iterator[Factory]:
    made = Factory(settings)
    yield made
    made.close()


@pytest.fixture
def recorder(factory: Factory) -> JetStreamApplicationRecorder:
    made = factory.application_recorder()
    assert isinstance(made, JetStreamApplicationRecorder)
    return made


def stored(id: UUID | str, *versions: int, state: bytes = b"{}", topic: str = "topic") -> list[StoredEvent]:
    return [StoredEvent(id, version, topic, state) for version in versions]


def insert(recorder: JetStreamApplicationRecorder, events: list[StoredEvent]) -> bool:
    try:
        recorder.insert_events(events)
    except IntegrityError:
        return False
    return True


async def test_a_call_from_a_running_loop_is_refused_and_says_what_to_do(settings: dict[str, str]) -> None:
    factory = await asyncio.to_thread(Factory, settings)
    recorder = await asyncio.to_thread(factory.application_recorder)
    with pytest.raises(ProgrammingError, match="to_thread"):
        recorder.insert_events(stored(uuid4(), 1))
    with pytest.raises(ProgrammingError, match="to_thread"):
        recorder.select_events(uuid4())
    assert await asyncio.to_thread(recorder.insert_events, stored(uuid4(), 1)) == [1]
    factory.close()


def test_a_factory_can_be_made_but_not_connected_within_a_running_loop(settings: dict[str, str]) -> None:
    factory = Factory(settings)

    async def connect() -> None:
        with pytest.raises(ProgrammingError, match="to_thread"):
            factory.application_recorder()

    asyncio.run(connect())
    assert factory.application_recorder().max_notification_id() is None
    factory.close()


def test_of_64_writers_of_one_version_exactly_one_wins(recorder: JetStreamApplicationRecorder) -> None:
    id = uuid4()
    for version in range(1, 6):
        with ThreadPoolExecutor(64) as threads:
            states = [str(n).encode() for n in range(64)]
            won = list(threads.map(lambda s: insert(recorder, stored(id, version, state=s)), states))  # noqa: B023 -- the pool ends within the turn
        assert won.count(True) == 1
        assert recorder.select_events(id)[-1].state == states[won.index(True)]
    assert recorder.max_notification_id() == 5


def test_a_conflict_never_fails_a_neighbour(recorder: JetStreamApplicationRecorder) -> None:
    taken = [uuid4() for _ in range(20)]
    for id in taken:
        recorder.insert_events(stored(id, 1))
    free = [uuid4() for _ in range(100)]
    with ThreadPoolExecutor(120) as threads:
        won = list(threads.map(lambda one: insert(recorder, stored(one, 1, 2)), taken + free))
    assert won == [False] * 20 + [True] * 100
    assert all(len(recorder.select_events(id)) == 1 for id in taken)
    assert all(len(recorder.select_events(id)) == 2 for id in free)
    notifications = recorder.select_notifications(None, 1000)
    assert [n.id for n in notifications] == list(range(1, 221))


def test_the_events_of_one_insert_lie_side_by_side(recorder: JetStreamApplicationRecorder) -> None:
    with ThreadPoolExecutor(32) as threads:
        ids = list(threads.map(lambda _: recorder.insert_events(stored(uuid4(), 1, 2, 3)), range(200)))
    assert all(found is not None and list(found) == list(range(found[0], found[0] + 3)) for found in ids)
    assert sorted(number for found in ids for number in found or ()) == list(range(1, 601))


def test_inserts_gather_in_order_until_the_batch_is_full_or_two_want_one_subject() -> None:
    def wanting(*names: str) -> Insert:
        return Insert(uuid4().hex, tuple(Message(name, b"", {}) for name in names))

    a, b, again = wanting("a"), wanting("b1", "b2"), wanting("c", "a")
    waiting = deque([a, b, again])
    assert gather(waiting) == [a, b]
    assert gather(waiting) == [again]
    full = [wanting(*(f"{part}-{n}" for n in range(MAX_BATCH // 2))) for part in range(3)]
    waiting = deque(full)
    assert gather(waiting) == full[:2]
    assert gather(waiting) == full[2:]


def test_more_events_than_an_atomic_batch_holds_are_refused(recorder: JetStreamApplicationRecorder) -> None:
    with pytest.raises(DataError, match="1000 is the limit"):
        recorder.insert_events(stored(uuid4(), *range(MAX_BATCH + 1)))
    assert recorder.max_notification_id() is None


def test_a_state_over_what_the_server_takes_is_refused_by_name(
    recorder: JetStreamApplicationRecorder,
) -> None:
    with pytest.raises(DataError, match="1048576 bytes"):
        recorder.insert_events(stored(uuid4(), 1, state=bytes(1024 * 1024)))


def test_an_aggregate_of_more_events_than_one_answer_holds_is_read(
    recorder: JetStreamApplicationRecorder,
) -> None:
    id = uuid4()
    for start in range(0, 2500, 500):
        recorder.insert_events(stored(id, *range(start, start + 500)))
        recorder.insert_events(stored(uuid4(), *range(10)))
    assert [e.originator_version for e in recorder.select_events(id)] == list(range(2500))
    newest = recorder.select_events(id, desc=True, limit=3)
    assert [e.originator_version for e in newest] == [2499, 2498, 2497]
    some = recorder.select_events(id, gt=1100, lte=1103)
    assert [e.originator_version for e in some] == [1101, 1102, 1103]


def test_more_bytes_than_one_answer_holds_are_read(recorder: JetStreamApplicationRecorder) -> None:
    id = uuid4()
    for version in range(60):
        recorder.insert_events(stored(id, version, state=bytes([version]) * 900_000))
    found = recorder.select_events(id)
    assert [e.state[:1] for e in found] == [bytes([version]) for version in range(60)]
    assert [n.originator_version for n in recorder.select_notifications(None, 60)] == list(range(60))


@pytest.mark.parametrize("id", ["", "a.b c>*", "ünïcode\n\r/..%2E", "u-" + str(UUID(int=1)), UUID(int=1)])
def test_any_id_comes_back_as_it_was(recorder: JetStreamApplicationRecorder, id: UUID | str) -> None:
    topic = " odd: ü\r\nX: y%20 "
    (event,) = stored(id, -3, topic=topic, state=b"\x00\r\n\xff")
    recorder.insert_events([event])
    recorder.insert_events(stored(uuid4(), 1))
    assert recorder.select_events(id) == [event]
    (notification,) = recorder.select_notifications(None, 10, topics=[topic])
    assert (notification.originator_id, notification.id) == (id, 1)


def test_an_id_that_no_subject_holds_is_refused(recorder: JetStreamApplicationRecorder) -> None:
    with pytest.raises(DataError, match="2048 is the limit"):
        recorder.insert_events(stored("ü" * 1000, 1))


def test_a_subscription_sees_what_another_process_inserts(
    recorder: JetStreamApplicationRecorder, settings: dict[str, str]
) -> None:
    other = Factory(settings)
    writing = other.application_recorder()
    with recorder.subscribe() as subscription:
        for version in range(1, 20):
            writer = Thread(target=writing.insert_events, args=(stored("a", version),))
            writer.start()
            assert next(subscription).originator_version == version
            writer.join()
    other.close()


async def test_a_notification_that_was_lost_is_reported_with_its_place(settings: dict[str, str]) -> None:
    name = settings["NATS_STREAM"]
    connection = await nats.connect(settings["NATS_URL"])
    body = {"name": name, "subjects": [everything(name)], "allow_direct": True, "allow_atomic": True}
    await connection.request(f"$JS.API.STREAM.CREATE.{name}", orjson.dumps(body))

    def insert_some() -> tuple[Factory, JetStreamApplicationRecorder]:
        factory = Factory({**settings, "CREATE_TABLE": "n"})
        recorder = factory.application_recorder()
        assert isinstance(recorder, JetStreamApplicationRecorder)
        recorder.insert_events(stored("a", 1, 2, 3))
        return factory, recorder

    factory, recorder = await asyncio.to_thread(insert_some)
    await connection.request(f"$JS.API.STREAM.MSG.DELETE.{name}", b'{"seq":2}')
    await connection.close()
    with pytest.raises(InternalError, match="sequence 2 is missing"):
        await asyncio.to_thread(recorder.select_notifications, None, 10)
    factory.close()


async def test_a_stream_with_other_settings_is_refused(settings: dict[str, str]) -> None:
    name = settings["NATS_STREAM"]
    connection = await nats.connect(settings["NATS_URL"])
    body = {"name": name, "subjects": [everything(name)]}
    await connection.request(f"$JS.API.STREAM.CREATE.{name}", orjson.dumps(body))
    await connection.close()
    factory = Factory(settings)
    with pytest.raises(ProgrammingError, match="other settings"):
        await asyncio.to_thread(factory.application_recorder)
    factory.close()


def test_a_stream_that_nobody_created_is_missed_by_name(settings: dict[str, str]) -> None:
    factory = Factory({**settings, "CREATE_TABLE": "n"})
    with pytest.raises(ProgrammingError, match=f"no stream {settings['NATS_STREAM']}"):
        factory.application_recorder().max_notification_id()
    factory.close()


@pytest.mark.parametrize("name", ["NATS_URL", "NATS_STREAM"])
def test_a_setting_that_is_missing_is_named(settings: dict[str, str], name: str) -> None:
    del settings[name]
    with pytest.raises(InfrastructureFactoryError, match=name):
        InfrastructureFactory.construct(settings)


def test_a_stream_is_no_wildcard(settings: dict[str, str]) -> None:
    with pytest.raises(InfrastructureFactoryError, match="NATS_STREAM"):
        Factory({**settings, "NATS_STREAM": "a.>"})


def test_a_server_out_of_reach_is_named_without_its_password(free_port: int) -> None:
    url = f"nats://me:secret@127.0.0.1:{free_port}"
    with pytest.raises(OperationalError, match=f"127.0.0.1:{free_port} is out of reach") as refused:
        Factory({"NATS_URL": url, "NATS_STREAM": "A"}).application_recorder()
    assert "secret" not in str(refused.value)


def test_a_user_without_the_right_is_told_so(settings: dict[str, str], server: LogServer) -> None:
    url = server.url.replace("nats://", "nats://pm:p-pm@")
    factory = Factory({**settings, "NATS_URL": url})
    with pytest.raises(OperationalError, match="permissions violation"):
        factory.application_recorder()
    factory.close()


def test_after_closing_every_call_says_so(factory: Factory, recorder: JetStreamApplicationRecorder) -> None:
    recorder.insert_events(stored("a", 1))
    factory.close()
    factory.close()
    with pytest.raises(InterfaceError, match="closed"):
        recorder.insert_events(stored("a", 2))
    with pytest.raises(InterfaceError, match="closed"):
        recorder.select_events("a")


def test_tracking_together_with_events_is_refused_with_the_reason(
    factory: Factory, recorder: JetStreamApplicationRecorder
) -> None:
    with pytest.raises(NotSupportedError, match="two streams"):
        recorder.insert_events(stored("a", 1), tracking=Tracking("upstream", 1))
    with pytest.raises(NotImplementedError, match="two streams"):
        factory.process_recorder()
    assert recorder.max_notification_id() is None


class Lengths(JetStreamTrackingRecorder):
    """A view that counts what it was told of."""

    seen = 0


class Counting(Projection[Lengths]):
    name = "counting"
    topics = (get_topic(Aggregate.Created),)

    def process_event(self, _: DomainEventProtocol[UUID], tracking: Tracking) -> None:
        self.view.insert_tracking(tracking)
        self.view.seen += 1


def test_a_projection_of_the_library_follows_and_goes_on_where_it_was(settings: dict[str, str]) -> None:
    def follow(count: int) -> int:
        with ProjectionRunner(
            application_class=Application[UUID], projection_class=Counting, view_class=Lengths, env=settings
        ) as runner:
            for _ in range(count):
                (created,) = runner.app.save(Aggregate())
            runner.projection.view.wait(runner.app.name, created.notification.id, timeout=30)
            return runner.projection.view.seen

    assert follow(5) == 5
    assert follow(3) == 3


def test_a_position_only_grows_whoever_records_it(factory: Factory) -> None:
    recorders = [factory.tracking_recorder() for _ in range(8)]

    def record(number: int) -> bool:
        try:
            recorders[number % 8].insert_tracking(Tracking("upstream", number))
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(32) as threads:
        recorded = [n for n, taken in enumerate(threads.map(record, range(200))) if taken]
    assert recorded[-1] == 199 == recorders[0].max_tracking_id("upstream")
    assert recorders[0].max_tracking_id("another") is None
