"""Group commit: appends that meet are stored together, for one flush of the server's disk.

Rules
1. A lone append goes straight out; nothing waits for company. While commits are under way, what comes
   gathers, and leaves together as one atomic batch when its turn comes.
2. Appends of one aggregate leave in the order they came, never two of them in one batch: each names the
   position it was decided on, and the second can only know that once the first is stored.
3. A batch that is refused is tried again member by member: one member's conflict is its own.
4. A batch whose outcome is unknown is unknown for each of its members, and for those who wait behind it:
   a server that does not answer keeps nobody in a queue.
5. What is on its way is bounded in events and bytes; more waits outside, in order.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.committer import Committer, Refused, Uncertain
from events.room import Room
from events.store import Denied
from events.wire import Message

UNDER_WAY = 2  # while the server flushes one group the next is written; more of them make smaller groups
GROUP_EVENTS = 500
GROUP_BYTES = 1024 * 1024
WAITING_EVENTS = 8192
WAITING_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """One append in a queue: its messages, the aggregates it names, and who waits for its last sequence."""

    messages: Sequence[Message]
    aggregates: frozenset[str]
    size: int
    outcome: asyncio.Future[int]


def next_group(
    queue: deque[Member], events: int = GROUP_EVENTS, size: int = GROUP_BYTES
) -> tuple[list[Member], deque[Member]]:
    """Return who leaves together and who stays, by rule 2; a member larger than a group leaves alone."""
    group: list[Member] = []
    staying: deque[Member] = deque()
    named: set[str] = set()
    for member in queue:
        events -= len(member.messages)
        size -= member.size
        if (group and min(events, size) < 0) or not named.isdisjoint(member.aggregates):
            events += len(member.messages)
            size += member.size
            staying.append(member)
        else:
            group.append(member)
        named |= member.aggregates
    return group, staying


class GroupCommit:
    """Commits appends of any number of tasks over one committer."""

    def __init__(self, committer: Committer, doorbell: str) -> None:
        """`doorbell` is rung after every commit."""
        self._committer = committer
        self._doorbell = doorbell
        self._room = Room(WAITING_EVENTS, WAITING_BYTES)
        self._queue: deque[Member] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._planned = False

    async def commit(self, messages: Sequence[Message], aggregates: frozenset[str]) -> int:
        """Store all messages or none; return the sequence of the last. Raises `Uncertain`, `Denied`."""
        size = sum([len(message.body) for message in messages])
        await self._room.enter(len(messages), size)
        try:
            outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._queue.append(Member(messages, aggregates, size, outcome))
            self._plan()
            return await outcome
        finally:
            self._room.leave(len(messages), size)

    def _plan(self) -> None:
        if not self._planned and len(self._under_way) < UNDER_WAY:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._send_groups)

    def _send_groups(self) -> None:
        """Start what may be under way; runs once all who were ready to append have done so."""
        self._planned = False
        if not self._committer.is_connected:
            _give_up(self._queue, Uncertain("the connection is down"))
            self._queue.clear()
        while self._queue and len(self._under_way) < UNDER_WAY:
            group, self._queue = next_group(self._queue)
            # who gave up while waiting was never sent
            if wanted := [member for member in group if not member.outcome.done()]:
                task = asyncio.ensure_future(self._send(wanted))
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        task.result()
        if self._queue:
            self._plan()

    async def _send(self, group: list[Member]) -> None:
        messages = [message for member in group for message in member.messages]
        try:
            last = await self._committer.commit(messages)
        except (Refused, Denied) as problem:
            if len(group) == 1:
                _give_up(group, problem)
            else:
                await asyncio.gather(*(self._send([member]) for member in group))
        except Uncertain as problem:
            _give_up((*group, *self._queue), problem)
            self._queue.clear()
        except Exception as problem:  # noqa: BLE001 -- whatever it was, each who waits is told
            _give_up(group, problem)
        else:
            seq = last - len(messages)
            for member in group:
                seq += len(member.messages)
                if not member.outcome.done():
                    member.outcome.set_result(seq)
            await self._committer.ring(self._doorbell)


def _give_up(members: Iterable[Member], problem: Exception) -> None:
    for member in members:
        if not member.outcome.done():
            # one exception raised in many tasks would gather all their tracebacks
            own = type(problem)(*problem.args) if isinstance(problem, Uncertain | Denied) else problem
            member.outcome.set_exception(own)
