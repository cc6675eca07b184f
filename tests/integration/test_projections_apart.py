"""Piles of the log folded by processes of their own: what one process gives, whatever ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from events.jetstream.stream_reader import Stored
from events.memory import InMemoryEventStore
from events.store import Broken, Recorded
from events.subjects import place
from projections.building.folders import FoldingEnded, HereFolder, ProcessFolder, folders
from projections.building.piles import Piles
from projections.views.catalogue import VIEWS
from tests.projection_facts import CYCLE, Clock, tell


@pytest.fixture
def piles() -> Iterator[Piles]:
    made = Piles(6000)
    yield made
    made.close()


async def events() -> list[Recorded]:
    store = InMemoryEventStore(Clock())
    await tell(store, CYCLE)
    return [event async for event in store.read_all()]


def pile_up(piles: Piles, log: list[Recorded]) -> None:
    for event in log:
        envelope = event.envelope
        piles.add(Stored(event.seq, place(envelope.subject, envelope.type.split(".")[2]), envelope.encode()))


async def started(stack: AsyncExitStack, piles: Piles) -> list[ProcessFolder]:
    made = [await stack.enter_async_context(hand) for hand in folders(piles, VIEWS, few=0)]
    return [hand for hand in made if isinstance(hand, ProcessFolder)]


async def test_processes_give_what_this_one_gives(piles: Piles) -> None:
    pile_up(piles, await events())
    here, rows = HereFolder(piles, VIEWS), 0
    async with AsyncExitStack() as stack:
        hands = await started(stack, piles)
        assert hands
        for number, pile in enumerate(piles.finish()):
            sheet = await hands[number % len(hands)].fold(pile)
            assert sheet == await here.fold(pile)
            rows += sum(table.count(b"\n") for table in sheet.tables)
    assert rows > len(CYCLE)


async def test_all_events_of_an_aggregate_lie_on_one_pile(piles: Piles) -> None:
    log = await events()
    pile_up(piles, log)
    # an event without those before it would not link
    sheets = [await HereFolder(piles, VIEWS).fold(pile) for pile in piles.finish()]
    assert all(sheet.poisoned == () for sheet in sheets)


async def test_an_altered_event_is_told_by_the_process_as_well(piles: Piles) -> None:
    log = await events()
    pile_up(piles, [replace(log[0], envelope=replace(log[0].envelope, actor="somebody else"))])
    async with AsyncExitStack() as stack:
        hand, *_ = await started(stack, piles)
        with pytest.raises(Broken, match="was altered"):
            await hand.fold(piles.finish()[0])


async def test_a_process_that_is_killed_is_told(piles: Piles) -> None:
    pile_up(piles, await events())
    async with AsyncExitStack() as stack:
        hand, *_ = await started(stack, piles)
        os.kill(hand.pid, signal.SIGKILL)
        with pytest.raises(FoldingEnded, match="ended with -9"):
            await hand.fold(piles.finish()[0])


async def test_views_of_nobody_else_are_folded_here(piles: Piles) -> None:
    (hand,) = folders(piles, [replace(VIEWS[0], version=99)], few=0)
    async with hand as folder:
        assert isinstance(folder, HereFolder)
