"""Which appends leave together, and how many may be on their way."""

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.jetstream.group_commit import Bounds, Member, next_group
from events.jetstream.room import Room
from events.jetstream.wire import Message

ROOMY = Bounds(appends=100)
appends = st.lists(st.tuples(st.integers(1, 9), st.lists(st.sampled_from("abcde"), min_size=1, max_size=2)))


def member(events: int, aggregates: tuple[str, ...], size: int = 1) -> Member:
    loop = asyncio.new_event_loop()
    try:
        return Member((Message("s", b""),) * events, frozenset(aggregates), size, loop.create_future())
    finally:
        loop.close()


def queue_of(*wanted: str) -> "deque[Member]":
    return deque(member(1, tuple(names)) for names in wanted)


def named(members: "deque[Member] | list[Member]") -> list[str]:
    return ["".join(sorted(one.aggregates)) for one in members]


def test_appends_of_different_aggregates_leave_together() -> None:
    group, staying = next_group(queue_of("a", "b", "c"), set(), ROOMY)
    assert (named(group), named(staying)) == (["a", "b", "c"], [])


def test_a_second_append_of_an_aggregate_stays_behind_the_first() -> None:
    group, staying = next_group(queue_of("a", "b", "a"), set(), ROOMY)
    assert (named(group), named(staying)) == (["a", "b"], ["a"])


def test_nothing_overtakes_who_stays() -> None:
    group, staying = next_group(queue_of("a", "ab", "b"), set(), ROOMY)
    assert (named(group), named(staying)) == (["a"], ["ab", "b"])


def test_an_aggregate_that_is_under_way_waits() -> None:
    group, staying = next_group(queue_of("a", "b"), {"a"}, ROOMY)
    assert (named(group), named(staying)) == (["b"], ["a"])


def test_a_group_is_bounded_in_events_and_in_bytes() -> None:
    events = deque(member(3, (name,)) for name in "abc")
    assert named(next_group(events, set(), Bounds(9, events=7))[0]) == ["a", "b"]
    large = deque(member(1, (name,), size=40) for name in "abc")
    assert named(next_group(large, set(), Bounds(9, size=100))[0]) == ["a", "b"]


def test_an_append_larger_than_a_group_leaves_alone() -> None:
    queue = deque([member(900, ("a",)), member(1, ("b",))])
    assert named(next_group(queue, set(), Bounds(9, events=500))[0]) == ["a"]


def test_a_group_takes_its_share_of_the_appends() -> None:
    group, staying = next_group(queue_of("a", "b", "c"), set(), Bounds(appends=2))
    assert (named(group), named(staying)) == (["a", "b"], ["c"])


@given(appends, st.integers(1, 20), st.integers(1, 9))
def test_every_append_leaves_once_and_each_aggregate_in_order(
    wanted: list[tuple[int, list[str]]], limit: int, most: int
) -> None:
    queue = deque(member(events, tuple(names)) for events, names in wanted)
    left: list[Member] = []
    waiting = queue
    while waiting:
        group, waiting = next_group(waiting, set(), Bounds(most, events=limit))
        together = [name for one in group for name in one.aggregates]
        assert together
        assert len(together) == len(set(together))
        assert len(group) <= most
        assert len(group) == 1 or sum(len(one.messages) for one in group) <= limit
        left += group
    assert sorted(map(id, left)) == sorted(map(id, queue))
    for name in "abcde":
        in_order = [id(one) for one in queue if name in one.aggregates]
        assert [id(one) for one in left if name in one.aggregates] == in_order


async def entered(room: Room, events: int, size: int = 1) -> "asyncio.Task[None]":
    task = asyncio.ensure_future(room.enter(events, size))
    await asyncio.wait({task}, timeout=0)
    return task


async def test_what_would_overfill_the_room_waits_until_others_leave() -> None:
    room = Room(10, 100)
    assert (await entered(room, 6)).done()
    waiting = await entered(room, 6)
    assert not waiting.done()
    room.leave(6, 1)
    await waiting
    assert room.held == (6, 1)


async def test_bytes_are_bounded_as_events_are() -> None:
    room = Room(10, 100)
    assert (await entered(room, 1, 60)).done()
    assert not (await entered(room, 1, 60)).done()


async def test_those_who_wait_are_let_in_as_they_came() -> None:
    room = Room(10, 100)
    await entered(room, 10)
    large, small = await entered(room, 9), await entered(room, 1)
    room.leave(10, 1)
    await asyncio.gather(large, small)
    assert room.held == (10, 2)
    later = await entered(room, 1)
    assert not later.done()


async def test_an_append_larger_than_the_room_enters_when_it_is_empty() -> None:
    room = Room(10, 100)
    assert (await entered(room, 1000, 1000)).done()
    assert not (await entered(room, 1)).done()


@pytest.mark.parametrize("admitted", [False, True])
async def test_who_gives_up_waiting_takes_no_room(admitted: bool) -> None:
    room = Room(10, 100)
    await entered(room, 10)
    impatient = await entered(room, 5)
    if admitted:
        room.leave(10, 1)
    impatient.cancel()
    await asyncio.wait({impatient})
    if not admitted:
        room.leave(10, 1)
    assert room.held == (0, 0)
    assert (await entered(room, 10)).done()
