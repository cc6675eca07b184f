"""The log through an `eventsourcing` application: the same states as the services' own store gives, always.

The facts are those of the example cycle, over the log in memory and over JetStream on a real server.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactory,
    NotSupportedError,
    ProgrammingError,
    StoredEvent,
)

from events.catalogue import AGGREGATES, read_fact
from events.improvement import IMPROVEMENT
from events.improvement_facts import RollbackRequested
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryArtefacts, InMemoryEventStore
from events.past import Past
from events.recorder.log import LogRecorder
from events.recorder.replay import GivenReplay, Replay, Replayed, all_replayed, replayed
from events.store import Broken, EventStore, Recorded, Unavailable
from services.runtime.log import Log, stamp_of
from tests import cycle_example as example
from tests.cycle_example import BAD, GOOD, Recorder, T
from tests.log_server import LogServer, started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture(params=["memory", "jetstream"])
async def cycle(request: pytest.FixtureRequest) -> AsyncIterator[Recorder]:
    recorder = Recorder()
    if request.param == "memory":
        await example.whole(recorder)
        yield recorder
        return
    log_server: LogServer = request.getfixturevalue("server")
    await log_server.wipe()
    # the example plays all roles at once, so it appends as admin; the rights are tested elsewhere
    async with log_server.connection("admin") as connection:
        store = JetStreamEventStore(connection, recorder.clock)
        recorder.book = Log(store, InMemoryArtefacts(), recorder.clock)
        await example.whole(recorder)
        yield recorder


def settings(server: LogServer, user: str = "inspector") -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "events.recorder",
        "NATS_URL": server.url.replace("nats://", f"nats://{user}:p-{user}@"),
        "NATS_STREAM": "APS",
    }


async def by_own_store(store: EventStore, until: int) -> dict[str, Replayed]:
    """Fold the log as it lies there, by nothing of the library's."""
    facts: dict[str, list[Recorded]] = {}
    async for event in store.read_all(until=until):
        facts.setdefault(event.envelope.subject, []).append(event)
    states = {}
    for id, events in facts.items():
        kind = AGGREGATES[id.partition("/")[0]]
        state = kind.fold((read_fact(event.envelope), stamp_of(event)) for event in events)
        states[id] = Replayed(id, events[-1].envelope.sequence, state)
    return states


async def test_both_ways_see_the_same_state_of_every_aggregate(cycle: Recorder) -> None:
    states = await all_replayed(cycle.book.store)
    assert {id.partition("/")[0] for id in states} == {"target", "improvement", "batch", "run", "deployment"}
    for id, aggregate in states.items():
        kind, _, name = id.partition("/")
        loaded: Any = await cycle.book.load(AGGREGATES[kind], name)
        assert aggregate == Replayed(id, loaded.position.version, loaded.state)


async def test_both_ways_see_the_same_world_as_of_every_sequence(cycle: Recorder) -> None:
    head = await cycle.book.store.head()
    for until in range(head + 1):
        expected = await by_own_store(cycle.book.store, until)
        assert await all_replayed(cycle.book.store, until=until) == expected
    assert len(expected) > 10


async def test_one_aggregate_is_given_as_of_a_sequence_from_its_first_fact_on(
    cycle: Recorder,
) -> None:
    id = f"improvement/{GOOD}"
    events, position = await cycle.book.store.read("improvement", GOOD)
    assert await replayed(cycle.book.store, id, until=events[0].seq - 1) is None
    for event in events:
        aggregate = await replayed(cycle.book.store, id, until=event.seq)
        assert aggregate is not None
        assert aggregate.version == event.envelope.sequence
    assert await replayed(cycle.book.store, id) == Replayed(
        id, position.version, await cycle.book.state(IMPROVEMENT, GOOD)
    )


async def test_what_names_no_aggregate_is_refused(cycle: Recorder) -> None:
    with pytest.raises(DataError, match="names no aggregate"):
        await replayed(cycle.book.store, "improvement")


class Hurt(InMemoryEventStore):
    """A log whose aggregates cannot be read, for the reason given."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__(lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self._trouble = trouble

    async def read(self, aggregate: str, id: str) -> Past:
        raise self._trouble

    async def head(self) -> int:
        raise self._trouble


@pytest.mark.parametrize("trouble", [Broken("sequence 7 was altered"), Unavailable("no answer")])
async def test_what_keeps_the_log_from_being_read_is_said_in_the_words_of_the_log(trouble: Exception) -> None:
    for reading in (replayed(Hurt(trouble), f"improvement/{GOOD}"), all_replayed(Hurt(trouble))):
        with pytest.raises(type(trouble), match=str(trouble)):
            await reading


async def test_events_and_notifications_are_selected_as_the_library_defines_it(cycle: Recorder) -> None:
    recorder = GivenReplay(cycle.book.store, asyncio.get_running_loop()).recorder
    all_events = [event async for event in cycle.book.store.read_all()]
    own = [e.envelope.sequence for e in all_events if e.envelope.subject == f"target/{T}"]

    def select() -> None:
        def versions(**bounds: Any) -> list[int]:
            return [e.originator_version for e in recorder.select_events(f"target/{T}", **bounds)]

        def ids(*args: Any, **bounds: Any) -> list[int]:
            return [n.id for n in recorder.select_notifications(*args, **bounds)]

        assert versions() == own
        assert versions(gt=1) == own[1:]
        assert versions(lte=2) == own[:2]
        assert versions(gt=1, lte=2) == own[1:2]
        assert versions(lte=0) == []
        assert versions(desc=True, limit=1) == own[-1:]
        assert versions(lte=2, desc=True) == [2, 1]
        assert recorder.max_notification_id() == len(all_events)
        assert ids(None, 3) == [1, 2, 3]
        assert ids(3, 2) == [3, 4]
        assert ids(3, 2, inclusive_of_start=False) == [4, 5]
        assert ids(2, 10, stop=3) == [2, 3]
        assert ids(len(all_events) + 1, 10) == []
        topic = all_events[-1].envelope.type
        wanted = [e.seq for e in all_events if e.envelope.type == topic]
        assert ids(None, 1000, topics=[topic]) == wanted
        assert ids(None, 1, topics=[topic]) == wanted[:1]

    await asyncio.to_thread(select)


async def test_nothing_is_ever_inserted_into_the_log(cycle: Recorder) -> None:
    replay = GivenReplay(cycle.book.store, asyncio.get_running_loop())
    head = await cycle.book.store.head()
    event = StoredEvent("improvement/x", 1, "aps.improvement.discovered.v1", b"{}")
    for events in ([event], []):
        with pytest.raises(NotSupportedError, match="read-only"):
            replay.recorder.insert_events(events)
    with pytest.raises(NotSupportedError, match="read-only"):
        replay.save(*[replay.mapper.to_domain_event(e) for e in await stored(replay, f"improvement/{BAD}")])
    assert await cycle.book.store.head() == head


async def stored(replay: Replay, id: str) -> list[StoredEvent]:
    return list(await asyncio.to_thread(replay.recorder.select_events, id))


async def test_a_call_from_the_loop_of_the_store_is_refused(
    cycle: Recorder,
) -> None:
    replay = GivenReplay(cycle.book.store, asyncio.get_running_loop())
    with pytest.raises(ProgrammingError, match="to_thread"):
        replay.repository.get(f"target/{T}")


async def test_a_given_replay_follows_nothing(cycle: Recorder) -> None:
    replay = GivenReplay(cycle.book.store, asyncio.get_running_loop())
    with pytest.raises(NotSupportedError, match="bell"):
        replay.recorder.subscribe()


@pytest.mark.parametrize("cycle", ["jetstream"], indirect=True)
async def test_settings_alone_open_the_log_to_the_library(cycle: Recorder, server: LogServer) -> None:
    def read() -> dict[str, object]:
        with Replay(env=settings(server)) as replay:
            assert isinstance(replay.recorder, LogRecorder)
            assert replay.notification_log["1,5"].items[0].originator_id == f"target/{T}"
            assert replay.repository.get("improvement/" + GOOD, version=1).version == 1
            with pytest.raises(AggregateNotFoundError):
                replay.repository.get("improvement/nobody")
            return {id: replay.repository.get(id) for id in replay.aggregates()}

    assert await asyncio.to_thread(read) == await all_replayed(cycle.book.store)


@pytest.mark.parametrize("cycle", ["jetstream"], indirect=True)
async def test_by_settings_too_the_log_is_read_only(cycle: Recorder, server: LogServer) -> None:
    head = await cycle.book.store.head()

    def try_to_write() -> None:
        factory = InfrastructureFactory.construct(settings(server, "admin"))
        for recorder in (factory.application_recorder(), factory.aggregate_recorder()):
            with pytest.raises(NotSupportedError, match="read-only"):
                recorder.insert_events([StoredEvent("improvement/x", 1, "t", b"{}")])
        factory.close()

    await asyncio.to_thread(try_to_write)
    assert await cycle.book.store.head() == head


@pytest.mark.parametrize("cycle", ["jetstream"], indirect=True)
async def test_the_library_follows_the_log_as_it_grows(cycle: Recorder, server: LogServer) -> None:
    head = await cycle.book.store.head()
    seen: list[tuple[int, str]] = []
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    def follow() -> None:
        with Replay(env=settings(server)) as replay, replay.recorder.subscribe(gt=head - 1) as subscription:
            for notification in subscription:
                seen.append((notification.id, str(notification.originator_id)))
                loop.call_soon_threadsafe(ready.set)
                if len(seen) == 2:
                    return

    following = Thread(target=follow)
    following.start()
    await ready.wait()
    await cycle.record(IMPROVEMENT, GOOD, RollbackRequested(reason="a person asked"))
    await asyncio.to_thread(following.join)
    assert seen[1] == (head + 1, f"improvement/{GOOD}")
