"""Fills a log with old aggregates, quickly, just as the store would have written them.

Each event is an append of its own and the events of an aggregate stand as far apart as they can: one
round over all aggregates after the other. Half of the aggregates end with 15 events, half with 5.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from nats.aio.client import Client

from events.appending import prepare
from events.jetstream.committer import Committer
from events.jetstream.log import messages_of
from events.jetstream.wire import Message
from events.store import Batch, Position
from events.trail import longer
from tests.benchmarks.log.content import AGGREGATE, CAUSE, fact, now

LONG, SHORT = 15, 5
BATCH = 1000
ANSWER_SECONDS = 120.0  # a busy disk is no failure here
STRIDE = 7919  # a prime: neighbours in one round are none in name


@dataclass
class Old:
    """One aggregate while it is written: its position and the trail to its events."""

    position: Position = field(default_factory=Position)
    trail: str = ""


def name(number: int) -> str:
    return f"old-{number}"


def order(aggregates: int) -> Iterator[tuple[int, int]]:
    """Yield (round, aggregate); the first half of the aggregates goes on after the others ended."""
    for turn in range(LONG):
        count = aggregates if turn < SHORT else aggregates // 2
        yield from ((turn, place * STRIDE % count) for place in range(count))


async def load(connection: Client, aggregates: int) -> int:
    """Write ten events for each of `aggregates` (an even number) to an empty log; return how many."""
    committer = Committer(connection, ANSWER_SECONDS)
    states = [Old() for _ in range(aggregates)]
    seq = 0
    gathered: list[Message] = []
    named: set[int] = set()
    under_way: asyncio.Task[int] | None = None

    async def leave() -> asyncio.Task[int]:
        if under_way is not None:
            await under_way
        return asyncio.ensure_future(committer.commit(tuple(gathered)))

    for turn, number in order(aggregates):
        if len(gathered) == BATCH or number in named:
            under_way = await leave()
            gathered.clear()
            named.clear()
        seq += 1
        gathered.append(_written(states[number], name(number), turn, seq))
        named.add(number)
    assert await (await leave()) == seq, "somebody else writes to this log"
    return seq


def _written(old: Old, id: str, turn: int, seq: int) -> Message:
    (prepared,) = prepare([Batch(AGGREGATE, id, old.position, (fact(turn),))], CAUSE, [now()])
    (message,) = messages_of(prepared, old.trail)
    old.position = prepared.position(seq)
    old.trail = longer(old.trail, seq)
    return message
