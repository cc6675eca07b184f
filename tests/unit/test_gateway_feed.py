"""The gateway's feed: whoever listens misses nothing and hears nothing twice, and the log rests meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from events.envelope import Cause
from events.memory import InMemoryEventStore
from events.store import Batch, Recorded
from events.swarm import ALL, SWARM, Paused
from services.gateway.live.feed import PART, PART_BYTES, Feed, Told
from services.gateway.live.stream import TOGETHER_BYTES, joined
from services.runtime.ending import end

CAUSE = Cause(actor="test", source="aps/test", correlation="00000000-0000-0000-0000-000000000001")
PATIENCE = 10.0


class Watched(InMemoryEventStore):
    """A log that knows how many follow it."""

    def __init__(self) -> None:
        super().__init__(lambda: datetime.now(UTC))
        self.followers = 0
        self._changed = asyncio.Condition()

    async def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        await self._count(1)
        try:
            async for event in super().live(after):
                yield event
        finally:
            await self._count(-1)

    async def _count(self, more: int) -> None:
        async with self._changed:
            self.followers += more
            self._changed.notify_all()

    async def until_followed_by(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.followers == number)


@pytest.fixture
def store() -> Watched:
    return Watched()


@pytest.fixture
async def feed(store: Watched) -> AsyncIterator[Feed]:
    feed = Feed(store)
    running = asyncio.create_task(feed.run())
    yield feed
    await end(running)


async def append(store: Watched, number: int, reason: str = "a test") -> None:
    for _ in range(number):
        position = await store.position(SWARM.name, ALL)
        await store.append_many([Batch(SWARM.name, ALL, position, (Paused(reason=reason),))], CAUSE)


async def heard(feed: Feed, after: int, until: int) -> list[int]:
    """The sequences of what a listener is told."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while (found[-1] if found else after) < until:
            found += [told.seq for told in await feed.beyond(found[-1] if found else after)]
    return found


async def test_nobody_follows_the_log_while_nobody_listens(feed: Feed, store: Watched) -> None:
    await append(store, 3)
    assert await feed.head() == 3
    assert store.followers == 0


async def test_a_listener_is_told_of_what_came_before_it_listened_and_of_what_comes(
    feed: Feed, store: Watched
) -> None:
    await append(store, PART + 3)
    with feed.listening():
        assert await heard(feed, 1, PART + 3) == list(range(2, PART + 4))
        await append(store, 2)
        assert await heard(feed, PART + 3, PART + 5) == [PART + 4, PART + 5]


async def test_following_ends_with_the_first_event_that_nobody_listens_to(feed: Feed, store: Watched) -> None:
    with feed.listening():
        await store.until_followed_by(1)
        await append(store, 1)
        assert await heard(feed, 0, 1) == [1]
    await append(store, 1)
    await store.until_followed_by(0)


async def test_who_comes_back_is_told_of_what_came_while_nobody_followed(feed: Feed, store: Watched) -> None:
    with feed.listening():
        await store.until_followed_by(1)
        await append(store, 2)
        assert await heard(feed, 0, 2) == [1, 2]
    await append(store, 1)
    await store.until_followed_by(0)
    await append(store, 3)
    with feed.listening():
        await store.until_followed_by(1)
        await append(store, 1)
        assert await heard(feed, 2, 7) == [3, 4, 5, 6, 7]


async def test_a_second_listener_keeps_it_going_when_the_first_has_left(feed: Feed, store: Watched) -> None:
    with feed.listening():
        with feed.listening():
            await store.until_followed_by(1)
        await append(store, 2)
        assert await heard(feed, 0, 2) == [1, 2]
        assert store.followers == 1


async def test_who_waits_for_an_event_is_woken_when_following_begins_and_by_the_event(
    feed: Feed, store: Watched
) -> None:
    with feed.listening():
        began = feed.next_of(SWARM.name, ALL)
        async with asyncio.timeout(PATIENCE):
            await began
        coming, other = feed.next_of(SWARM.name, ALL), feed.next_of(SWARM.name, "another")
        await append(store, 1)
        async with asyncio.timeout(PATIENCE):
            await coming
        assert not other.done()


async def test_large_events_are_kept_in_part_and_heard_in_whole(store: Watched) -> None:
    feed = Feed(store, kept_bytes=100_000)
    running = asyncio.create_task(feed.run())
    with feed.listening():
        await store.until_followed_by(1)
        await append(store, 20, "x" * 20_000)
        assert await heard(feed, 0, 20) == list(range(1, 21))
        assert 60_000 < feed.kept_bytes <= 100_000
        await append(store, 1, "x" * 200_000)
        assert await heard(feed, 0, 21) == list(range(1, 22))
        assert feed.kept_bytes == 0
        await append(store, 1)
        assert await heard(feed, 20, 22) == [21, 22]
    await end(running)


async def test_a_listener_is_given_no_more_at_once_than_a_part_in_bytes(feed: Feed, store: Watched) -> None:
    await append(store, 8, "x" * (PART_BYTES // 4))
    with feed.listening():
        async with asyncio.timeout(PATIENCE):
            told = await feed.beyond(0)
    assert [one.seq for one in told] == [1, 2, 3, 4]


async def test_each_event_is_encoded_once_and_on_one_line(feed: Feed, store: Watched) -> None:
    with feed.listening():
        await store.until_followed_by(1)
        await append(store, 1)
        first, second = await feed.beyond(0), await feed.beyond(0)
    assert first[0].message is second[0].message
    id, kind, data, *rest = first[0].message.split(b"\n")
    assert (id, kind, rest) == (b"id: 1", b"event: event", [b"", b""])
    assert orjson.loads(data.removeprefix(b"data: "))["type"] == "aps.swarm.paused.v1"


def test_small_messages_are_sent_together_and_large_ones_apart() -> None:
    told = [Told(n, b"x" * size) for n, size in enumerate((10, 20, TOGETHER_BYTES, 30, 40))]
    assert [len(part) for part in joined(told)] == [30, TOGETHER_BYTES, 70]
