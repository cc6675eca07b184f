"""Whatever is done to a store, it holds what a plain list of events would: in memory and on JetStream."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from events.envelope import Cause
from events.evidence.verify import verify
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryEventStore
from events.store import Batch, Conflict, EventStore, Position
from tests.log_server import LogServer, started

T = TypeVar("T")
NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
sizes = st.integers(1, 4)


@dataclass
class Model:
    """The plain list: (name, rank) by place, and the positions each aggregate went through."""

    log: list[tuple[str, int]] = field(default_factory=list)
    positions: dict[str, list[Position]] = field(
        default_factory=lambda: {name: [Position()] for name in NAMES}
    )

    def ranks(self, name: str, count: int | None = None) -> list[int]:
        return [rank for who, rank in self.log[:count] if who == name]

    def add(self, name: str, ranks: list[int], position: Position) -> None:
        self.log += [(name, rank) for rank in ranks]
        self.positions[name].append(position)


class AnyStore(RuleBasedStateMachine):
    """Appends, stale appends, repeated appends, appends to several, and every way to read."""

    server: LogServer | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.prefix = uuid4().hex[:8]
        self.model = Model()
        self.last: tuple[list[Batch], Cause, tuple[Position, ...]] | None = None
        self.stores = self.do(self.open())
        self.base = self.do(self.stores[0].head())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def open(self) -> list[EventStore]:
        """Two stores on one log, where there is a log to share."""
        if self.server is None:
            return [InMemoryEventStore(lambda: datetime.now(UTC))]
        connection = await self.stack.enter_async_context(self.server.connection("cli"))
        return [JetStreamEventStore(connection, lambda: datetime.now(UTC)) for _ in range(2)]

    async def cold(self) -> EventStore:
        """A store that remembers nothing."""
        store = self.stores[0]
        return store if isinstance(store, InMemoryEventStore) else (await self.open())[0]

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()

    def batch(self, name: str, at: Position, ranks: list[int]) -> Batch:
        facts = tuple(Reprioritised(rank=rank, reason="a model") for rank in ranks)
        return Batch("improvement", f"{self.prefix}-{name}", at, facts)

    def now_at(self, name: str) -> Position:
        return self.model.positions[name][-1]

    def fresh(self, size: int) -> list[int]:
        return list(range(len(self.model.log), len(self.model.log) + size))

    @rule(name=names, size=sizes, which=st.integers(0, 1))
    def append(self, name: str, size: int, which: int) -> None:
        ranks = self.fresh(size)
        self.append_all([(name, ranks)], which)

    @rule(chosen=st.lists(names, min_size=2, max_size=3, unique=True), size=sizes, which=st.integers(0, 1))
    def append_to_several(self, chosen: list[str], size: int, which: int) -> None:
        self.append_all([(name, [size * 1000 + n for n in range(size)]) for name in chosen], which)

    def append_all(self, wanted: list[tuple[str, list[int]]], which: int) -> None:
        batches = [self.batch(name, self.now_at(name), ranks) for name, ranks in wanted]
        cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
        positions = self.do(self.stores[which % len(self.stores)].append_many(batches, cause))
        for (name, ranks), before, position in zip(wanted, batches, positions, strict=True):
            self.model.add(name, ranks, position)
            assert position.stream_seq == self.base + len(self.model.log)
            assert position.version == before.expected.version + len(ranks)
        self.last = (batches, cause, positions)

    @rule(name=names, age=st.integers(1, 3), other=names, which=st.integers(0, 1))
    def append_too_late(self, name: str, age: int, other: str, which: int) -> None:
        """Nothing is stored, not even of an aggregate that was not late."""
        went_through = self.model.positions[name]
        if len(went_through) == 1:
            return
        stale = went_through[max(0, len(went_through) - 1 - age)]
        batches = [self.batch(name, stale, [-1])]
        if other != name:
            batches.append(self.batch(other, self.now_at(other), [-1]))
        cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
        with pytest.raises(Conflict) as conflict:
            self.do(self.stores[which % len(self.stores)].append_many(batches, cause))
        assert (conflict.value.expected, conflict.value.found) == (stale, self.now_at(name))

    @rule(which=st.integers(0, 1))
    def repeat_the_last_append(self, which: int) -> None:
        if self.last is None or which >= len(self.stores):
            return
        batches, cause, positions = self.last
        same_clock = self.stores[which]
        try:
            assert self.do(same_clock.append_many(batches, cause)) == positions
        except Conflict as conflict:  # another time makes another hash: then it is another append
            assert conflict.found in [self.now_at(name) for name in NAMES]

    @rule(names=st.lists(names, min_size=1, max_size=3, unique=True), size=sizes)
    def race(self, names: list[str], size: int) -> None:
        """Every aggregate is wanted by three at once, from the same position: one of them gets it."""

        async def wanted_by(number: int, name: str) -> Position | None:
            at, ranks = self.now_at(name), [number * 100 + n for n in range(size)]
            cause = Cause(actor="test", source="/test", correlation=str(uuid4()))
            store = self.stores[number % len(self.stores)]
            try:
                return (await store.append_many([self.batch(name, at, ranks)], cause))[0]
            except Conflict:
                return None

        async def all_at_once() -> list[tuple[str, int, Position]]:
            asked = [(name, number) for name in names for number in range(3)]
            outcomes = await asyncio.gather(*(wanted_by(number, name) for name, number in asked))
            return [(*one, won) for one, won in zip(asked, outcomes, strict=True) if won is not None]

        winners = sorted(self.do(all_at_once()), key=lambda winner: winner[2].stream_seq)
        assert sorted(name for name, _, _ in winners) == sorted(names)
        for name, number, position in winners:
            self.model.add(name, [number * 100 + n for n in range(size)], position)
        self.last = None

    @rule(name=names, back=st.integers(0, 12), cold=st.booleans())
    def look_back(self, name: str, back: int, cold: bool) -> None:
        count = max(0, len(self.model.log) - back)
        store = self.do(self.cold()) if cold else self.stores[0]
        events, position = self.do(store.as_of("improvement", f"{self.prefix}-{name}", self.base + count))
        assert [event.envelope.data["rank"] for event in events] == self.model.ranks(name, count)
        assert position.version == len(events)

    @rule()
    def verify_everything(self) -> None:
        async def everything() -> list[Any]:
            return [event async for event in self.stores[-1].read_all(self.base)]

        log = self.do(everything())
        seen = [(event.envelope.subject.rpartition("-")[2], event.envelope.data["rank"]) for event in log]
        assert seen == self.model.log
        assert list(verify(log, self.base)) == []

    @invariant()
    def every_aggregate_is_what_the_model_says(self) -> None:
        for store in self.stores:
            for name in NAMES:
                events, position = self.do(store.read("improvement", f"{self.prefix}-{name}"))
                assert [event.envelope.data["rank"] for event in events] == self.model.ranks(name)
                assert position == self.now_at(name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    asyncio.run(log_server.wipe())
    yield log_server
    log_server.kill()


def test_the_store_in_memory_is_what_a_plain_list_would_be() -> None:
    run_state_machine_as_test(AnyStore, settings=settings(max_examples=60, stateful_step_count=25))


def test_the_store_on_jetstream_is_what_a_plain_list_would_be(server: LogServer) -> None:
    class OnJetStream(AnyStore):
        pass

    OnJetStream.server = server
    run_state_machine_as_test(
        OnJetStream,
        settings=settings(
            max_examples=20, stateful_step_count=15, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
