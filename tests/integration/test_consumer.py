"""A full disk and a log out of reach put work off without end; what fails for good becomes a dead letter."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.store import Recorded, Unavailable
from events.subjects import Address, dead_letter, subject
from events.target import TARGET, Registered, ScanRequested
from projections.projector import LogBehindCheckpoint
from services.runtime.burying import EVENT, GivenUp, bury
from services.runtime.consumer import MAX_FAILURES, Consumer, Pauses
from services.runtime.ending import end
from services.runtime.ground import Ground, stand
from services.runtime.settings import load
from services.steering.letters import Closing, close
from services.steering.letters import letters as listed

SECONDS = 30
SHORT = Pauses(retry=0.01, room=0.01)
CAUSE = Cause(actor="cli@test", source="aps/cli", correlation=str(UUID(int=1)))
REQUEST = ScanRequested(
    scan="t-s1",
    base="0" * 40,
    branch="",
    rules=("F401",),
    engine="deterministic",
    limit=0,
    dry_run=False,
    look_only=True,
)


class Trying:
    """An agent that fails with the troubles given, one an attempt, and then succeeds."""

    role = "pm"

    def __init__(self, *troubles: Exception) -> None:
        self.left = list(troubles)
        self.done = asyncio.Event()

    async def react(self, event: Recorded) -> None:
        if self.left:
            raise self.left.pop(0)
        self.done.set()


class Seeing(Trying):
    """An agent that is done once it saw an event of a target."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target

    async def react(self, event: Recorded) -> None:
        if event.envelope.address.id == self._target:
            self.done.set()


@pytest.fixture
async def ground(home: Path) -> AsyncIterator[Ground]:
    """Servers of this test alone, with a scan asked for on the log."""
    async with stand(load({"APS_HOME": str(home)})) as ground:
        async with ground.log("cli") as (_, book):
            await book.record(
                TARGET, "t", Registered(path="/t", title="t", origin="/t"), REQUEST, cause=CAUSE
            )
        yield ground


@asynccontextmanager
async def consuming(
    ground: Ground, agent: Trying, look: Callable[[], str | None] = lambda: None
) -> AsyncIterator[Client]:
    """Feed the agent for the time of the block; nothing is put off for long."""
    async with ground.log("pm") as (connection, _):
        running = asyncio.create_task(Consumer(connection, agent, look=look, pauses=SHORT).run())
        try:
            yield connection
        finally:
            await end(running)


async def letters(ground: Ground) -> int:
    """Return how many dead letters there are."""
    connection = await ground.connect("admin")
    try:
        return (await connection.jetstream().stream_info("DEAD_LETTERS")).state.messages
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        Unavailable("the append was not taken"),
        LogBehindCheckpoint("the log lost its end"),
    ],
)
async def test_what_passes_by_itself_never_becomes_a_dead_letter(ground: Ground, trouble: Exception) -> None:
    agent = Trying(*[trouble] * (2 * MAX_FAILURES))
    async with consuming(ground, agent):
        await asyncio.wait_for(agent.done.wait(), SECONDS)
    assert await letters(ground) == 0


async def test_what_fails_for_good_becomes_a_dead_letter(ground: Ground) -> None:
    agent = Trying(*[ValueError("wrong")] * MAX_FAILURES)
    async with consuming(ground, agent):
        async with asyncio.timeout(SECONDS):
            while not await letters(ground):
                pass  # each look is a round trip
    assert not agent.done.is_set()


REPLAYED = Closing(letter=1, how="replayed", reason="done", by="a test", at=datetime(2026, 1, 1, tzinfo=UTC))
DISCARDED = REPLAYED.model_copy(update={"how": "discarded"})
SAME, ANOTHER = "", "0" * 64


@pytest.mark.parametrize(
    ("closing", "about", "wanted"),
    [
        (None, SAME, 1),
        (DISCARDED, SAME, 1),
        (REPLAYED, SAME, 2),
        (None, ANOTHER, 2),
        (DISCARDED, ANOTHER, 2),
    ],
)
async def test_what_comes_again_is_listed_again_only_where_it_is_news(
    ground: Ground, closing: Closing | None, about: str, wanted: int
) -> None:
    async with ground.log("pm") as (connection, book), ground.log("cli") as (cli, _):
        (event,) = [
            one async for one in book.store.read_all() if one.envelope.address.fact == "scan_requested"
        ]
        letter = {
            "role": "pm",
            "seq": event.seq,
            "subject": subject(event.envelope.address),
            "reason": "long ago",
        }
        own = sha256(event.envelope.encode()).hexdigest()
        await connection.jetstream().publish(
            dead_letter("pm", event.seq), orjson.dumps(letter), headers={EVENT: about or own}
        )
        if closing is not None:
            await close(cli, closing)
    agent = Trying(*[ValueError("wrong")] * MAX_FAILURES)
    async with consuming(ground, agent) as connection:
        await until_idle(connection)
        found = await listed(connection)
    assert not agent.left
    assert [one.seq for one in found] == [event.seq] * wanted


async def until_idle(connection: Client) -> None:
    """Wait until the consumer was given everything, and answered for it."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await connection.jetstream().consumer_info("APS", "pm")
            if not (found.num_pending or found.num_ack_pending):
                return


async def test_of_copies_that_give_up_at_once_one_drops_the_letter(ground: Ground) -> None:
    what = GivenUp("pm", 7, "aps.v1.target.t.scan_requested", "wrong", b"{}")
    async with ground.log("pm") as (connection, _):
        assert sorted(await asyncio.gather(*(bury(connection, what) for _ in range(8)))) == [False] * 7 + [
            True
        ]
        assert len(await listed(connection)) == 1


async def test_nothing_is_pulled_while_the_disk_is_full(ground: Ground) -> None:
    agent, looked, full = Trying(), asyncio.Event(), ["the disk is full"]

    def look() -> str | None:
        looked.set()
        return full[0] if full else None

    async with consuming(ground, agent, look):
        await asyncio.wait_for(looked.wait(), SECONDS)
        assert not agent.done.is_set()
        full.clear()
        await asyncio.wait_for(agent.done.wait(), SECONDS)


@pytest.mark.parametrize("status", ["100", "404", "408", "409", "503", "none"])
async def test_a_message_that_passes_for_a_status_of_the_server_holds_up_nobody(
    ground: Ground, status: str
) -> None:
    writer = await ground.connect("cli")
    try:
        own = subject(Address("target", "u", "scan_requested"))
        await writer.request(own, b"no event", timeout=5, headers={"Status": status, "Description": "x"})
    finally:
        await writer.close()
    async with ground.log("cli") as (_, book):
        first = Registered(path="/v", title="v", origin="/v")
        await book.record(TARGET, "v", first, REQUEST.model_copy(update={"scan": "v-s1"}), cause=CAUSE)
    agent = Seeing("v")
    async with consuming(ground, agent):
        await asyncio.wait_for(agent.done.wait(), SECONDS)
        async with asyncio.timeout(SECONDS):
            while not await letters(ground):
                pass  # each look is a round trip
