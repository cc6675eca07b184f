"""How groups of appends leave: as one atomic batch, or side by side."""

import asyncio
from collections.abc import Sequence

import pytest
from nats.aio.client import Client

from events.jetstream.committer import Committer
from events.jetstream.group_commit import FEW, GroupCommit
from events.jetstream.wire import Message


class Told(Committer):
    """Keeps how many messages came at once, and says that they are stored."""

    def __init__(self) -> None:
        super().__init__(Client())
        self.sizes: list[int] = []
        self._seq = 0

    async def commit(self, messages: Sequence[Message]) -> int:
        self.sizes.append(len(messages))
        await asyncio.sleep(0)  # an answer takes a turn of the loop
        self._seq += len(messages)
        return self._seq

    async def ring(self, subject: str) -> None:
        """Nobody listens."""


async def left(counts: Sequence[int]) -> list[int]:
    """Append so many messages to an aggregate each, all at once; return how many left together."""
    told = Told()
    commits = GroupCommit(told, "bell")
    appends = (
        commits.commit((Message("s", b""),) * count, frozenset({f"a{number}"}))
        for number, count in enumerate(counts)
    )
    assert len(set(await asyncio.gather(*appends))) == len(counts)
    return sorted(told.sizes)


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ((1,), [1]),
        ((1,) * (1 + FEW), [1] * (1 + FEW)),
        ((1,) * (2 + FEW), [1, 1 + FEW]),
        ((1, 1, 2), [1, 3]),
    ],
    ids=["one alone", "few side by side", "more in one batch", "what has several events in one batch"],
)
async def test_appends_that_meet_leave_as_the_server_stores_them_soonest(
    counts: Sequence[int], sizes: Sequence[int]
) -> None:
    assert await left(counts) == sizes
