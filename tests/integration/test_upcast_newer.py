"""What a newer program wrote is kept, set aside where a person sees it, and stops nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from events.catalogue import read_fact
from events.envelope import NO_HASH, Envelope, envelop
from events.evidence.verify import verify
from events.improvement import IMPROVEMENT
from events.jetstream.log import JetStreamEventStore
from events.memory import InMemoryArtefacts
from events.store import Batch, Position, Recorded
from events.subjects import DEAD_LETTERS, Address, subject
from events.upcasting import NewerVersion
from projections.fold import fold
from projections.views.catalogue import VIEWS
from services.runtime.consumer import Consumer
from services.runtime.ending import end
from services.runtime.log import Log
from tests.log_server import LogServer, started
from tests.projection_facts import because, claimed, discovered

SECONDS = 30


class Reading:
    """An agent that reads what it is given."""

    role = "pm"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done = asyncio.Event()

    async def react(self, event: Recorded) -> None:
        self.asked.append(event.envelope.address.id)
        read_fact(event.envelope)
        self.done.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    server = started(tmp_path_factory.mktemp("newer"))
    yield server
    server.kill()


def from_the_future() -> Envelope:
    address = Address("improvement", "ahead", "discovered")
    today = envelop(discovered(), address, 1, NO_HASH, because(1), datetime.now(UTC))
    newer = replace(today, type="aps.improvement.discovered.v2", data={"everything": "is otherwise"})
    return newer.sealed()


@pytest.fixture
async def store(server: LogServer) -> AsyncIterator[JetStreamEventStore]:
    """A log with an event of a newer program, and one of today after it."""
    await server.wipe()
    async with server.connection("pm") as connection:
        newer = from_the_future()
        await connection.jetstream().publish(subject(newer.address), newer.encode())
        store = JetStreamEventStore(connection, lambda: datetime.now(UTC))
        await store.append_many([Batch("improvement", "today", Position(), (discovered(),))], because(2))
        yield store


async def test_an_event_of_a_newer_version_is_a_dead_letter_at_once_and_the_next_is_handled(
    server: LogServer, store: JetStreamEventStore
) -> None:
    agent = Reading()
    async with server.connection("cli") as person, server.connection("pm") as connection:
        letters = await person.subscribe(f"{DEAD_LETTERS}.>")
        await person.flush()
        running = asyncio.create_task(Consumer(connection, agent).run())
        try:
            letter = orjson.loads((await letters.next_msg(SECONDS)).data)
            await asyncio.wait_for(agent.done.wait(), SECONDS)
        finally:
            await end(running)
    assert (letter["role"], letter["seq"]) == ("pm", 1)
    assert "reads aps.improvement.discovered up to version 1: update it" in letter["reason"]
    assert sorted(agent.asked) == ["ahead", "today"], "trying again would be in vain"


async def test_an_event_of_a_newer_version_stays_on_the_log_as_it_was_written(
    store: JetStreamEventStore,
) -> None:
    events = [event async for event in store.read_all()]
    assert events[0].envelope.data == {"everything": "is otherwise"}
    assert list(verify(events)) == []


async def test_nothing_is_decided_about_an_aggregate_that_cannot_be_read(store: JetStreamEventStore) -> None:
    book = Log(store, InMemoryArtefacts(), lambda: datetime.now(UTC))
    with pytest.raises(NewerVersion):
        await book.record(IMPROVEMENT, "ahead", claimed(), cause=because(3))
    assert await store.head() == 2


async def test_an_event_of_a_newer_version_poisons_its_aggregate_alone(store: JetStreamEventStore) -> None:
    folded = fold([event async for event in store.read_all()], {}, VIEWS)
    (poisoned,) = folded.poisoned
    assert (poisoned.seq, poisoned.id) == (1, "ahead")
    assert "is newer than this program" in poisoned.reason
    board = next(pending for pending in folded.pending if pending.view.name == "improvement_board")
    assert [row.id for row in board.rows.values()] == ["today"]  # type: ignore[attr-defined]  # a row of this view
