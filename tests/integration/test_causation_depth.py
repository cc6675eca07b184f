"""A chain of events that cause each other ends at a bound, where a person finds it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from events.depth import DEPTH, depth_in
from events.envelope import Cause
from events.improvement import IMPROVEMENT
from events.improvement_facts import Discovered
from events.store import Recorded
from services.runtime.consumer import MAX_DEPTH, Consumer, Pauses
from services.runtime.ending import end
from services.runtime.ground import Ground, stand
from services.runtime.log import Log, answering
from services.runtime.settings import load
from services.steering.letters import letters

SECONDS = 120
SHORT = Pauses(retry=0.01, room=0.01)
ASKED = Cause(actor="pm@test", source="aps/pm", correlation=str(UUID(int=7)))


class Echo:
    """An agent that answers each discovery by the next one, without end."""

    role = "pm"

    def __init__(self, book: Log, found: Discovered) -> None:
        self._book, self._found = book, found
        self.answered = 0

    async def react(self, event: Recorded) -> None:
        self.answered += 1
        following = f"loop-{int(event.envelope.address.id.partition('-')[2]) + 1}"
        await self._book.record(IMPROVEMENT, following, self._found, cause=answering(event, "pm@test"))


@pytest.fixture
async def ground(home: Path) -> AsyncIterator[Ground]:
    async with stand(load({"APS_HOME": str(home)})) as ground:
        yield ground


async def found_by(book: Log) -> Discovered:
    return Discovered(
        target="t",
        scan="t-s1",
        base="0" * 40,
        rank=1,
        source="deterministic",
        rule="F401",
        title="Remove what is not used",
        why="Nobody reads it.",
        category="clarity",
        expected=1,
        files=("a.py",),
        sites=await book.keep("[]", "sites.json", "application/json"),
        inputs="0" * 64,
    )


async def test_a_loop_of_events_ends_at_the_bound_as_a_dead_letter(ground: Ground) -> None:
    async with ground.log("pm") as (connection, book):
        found = await found_by(book)
        await book.record(IMPROVEMENT, "loop-1", found, cause=ASKED)
        agent = Echo(book, found)
        running = asyncio.create_task(Consumer(connection, agent, pauses=SHORT).run())
        try:
            async with asyncio.timeout(SECONDS):
                while not (buried := await letters(connection)):
                    pass  # each look is a round trip
        finally:
            await end(running)
        head = await book.store.head()
    (letter,) = buried
    assert (letter.role, letter.seq) == ("pm", head)
    chain = f"the chain of events that leads here is {MAX_DEPTH + 1} long"
    assert letter.reason == f"{chain}, and {MAX_DEPTH} are allowed: it may be a loop"
    assert agent.answered == MAX_DEPTH == head - 1


async def test_what_a_person_begins_counts_from_one_and_carries_nothing(ground: Ground) -> None:
    async with ground.log("pm") as (connection, book):
        found = await found_by(book)
        await book.record(IMPROVEMENT, "loop-1", found, cause=ASKED)
        (event,) = [event async for event in book.store.read_all()]
        await book.record(IMPROVEMENT, "loop-2", found, cause=answering(event, "pm@test"))
        stream = connection.jetstream()
        first, second = [await stream.get_msg("APS", seq, direct=True) for seq in (1, 2)]
    assert DEPTH not in (first.headers or {})
    assert (depth_in(first.headers), depth_in(second.headers)) == (1, 2)


@pytest.mark.parametrize("told", ["", "0", "-3", "x", "7 ", "9" * 40])
def test_a_header_that_is_no_depth_begins_a_chain(told: str) -> None:
    assert depth_in({DEPTH: told}) == 1
