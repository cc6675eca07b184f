"""A full disk and a log out of reach put work off without end; what fails for good becomes a dead letter."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.store import Recorded, Unavailable
from events.subjects import Address, subject
from events.target import TARGET, Registered, ScanRequested
from projections.projector import LogBehindCheckpoint
from services.runtime.consumer import MAX_FAILURES, Consumer, Pauses
from services.runtime.ending import end
from services.runtime.ground import Ground, stand
from services.runtime.settings import load

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
