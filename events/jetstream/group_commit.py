"""Group commit: appends that meet are stored together, for one flush of the server's disk.

Rules
1. A lone append goes straight out; nothing waits for company. While commits are under way, what comes
   gathers, and leaves together when its turn comes: as one atomic batch, a few single events side by side.
   Of many, a group takes its share only, and their writers are woken a few at a time: so the next group is
   at the server while they decide.
2. Appends of one aggregate leave in the order they came, one at a time: each names the position it was
   decided on, so who waited while another was stored is refused without asking the server.
3. A batch that is refused is tried again member by member: one member's conflict is its own.
4. A batch whose outcome is unknown is unknown for each of its members, and for those who wait behind it:
   a server that does not answer keeps nobody in a queue.
5. What is on its way is bounded in events and bytes; more waits outside, in order.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from events.jetstream.committer import Committer, Refused, Uncertain
from events.jetstream.room import Room
from events.jetstream.wire import Message
from events.store import Denied

UNDER_WAY = 2  # while the server flushes one group the next is written; more of them make smaller groups
WHOLE = 64  # so few appends are not parted: a group costs the server as much as some 150 events in it
FEW = 8  # so few events are stored sooner side by side: an atomic batch is staged by the server first
WOKEN_AT_ONCE = 8  # between them the loop writes and reads
GROUP_EVENTS = 500
GROUP_BYTES = 1024 * 1024
WAITING_EVENTS = 8192
WAITING_BYTES = 32 * 1024 * 1024


class Bounds(NamedTuple):
    """What a group holds at most."""

    appends: int
    events: int = GROUP_EVENTS
    size: int = GROUP_BYTES


class Member(NamedTuple):
    """One append in a queue: its messages, the aggregates it names, and who waits for its last sequence."""

    messages: Sequence[Message]
    aggregates: frozenset[str]
    size: int
    outcome: asyncio.Future[int]


def next_group(
    queue: deque[Member], busy: AbstractSet[str], bounds: Bounds
) -> tuple[list[Member], deque[Member]]:
    """Return who leaves together and who stays: `busy` aggregates are under way (rule 2).

    A member larger than a group leaves alone.
    """
    appends, events, size = bounds
    group: list[Member] = []
    staying: deque[Member] = deque()
    named = set(busy)
    for member in queue:
        count = len(member.messages)
        fits = not group or (len(group) < appends and count <= events and member.size <= size)
        if fits and named.isdisjoint(member.aggregates):
            group.append(member)
            events -= count
            size -= member.size
        else:
            staying.append(member)
        named |= member.aggregates
    return group, staying


class GroupCommit:
    """Commits appends of any number of tasks over one committer."""

    def __init__(self, committer: Committer, doorbell: str) -> None:
        """`doorbell` is rung after every commit."""
        self._committer = committer
        self._doorbell = doorbell
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = Room(WAITING_EVENTS, WAITING_BYTES)
        self._queue: deque[Member] = deque()
        self._busy: set[str] = set()
        self._waking: deque[tuple[Member, int]] = deque()
        self._inside = 0
        self._under_way = 0
        self._planned = False

    async def commit(self, messages: Sequence[Message], aggregates: frozenset[str]) -> int:
        """Store all messages or none; return the sequence of the last. Raises `Uncertain`, `Denied`."""
        size = sum([len(message.body) for message in messages])
        await self._room.enter(len(messages), size)
        self._inside += 1
        try:
            if self._inside == 1:
                return await self._send_alone(messages, aggregates)
            outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._queue.append(Member(messages, aggregates, size, outcome))
            if len(self._queue) == self._share():
                self._send_groups()
            else:
                self._plan()
            return await outcome
        finally:
            self._inside -= 1
            self._room.leave(len(messages), size)

    async def _send_alone(self, messages: Sequence[Message], aggregates: frozenset[str]) -> int:
        self._begin(aggregates)
        try:
            last = await self._committer.commit(messages)
        except (Refused, Denied):
            raise
        except Uncertain as problem:
            self._empty_queue(problem)
            raise
        finally:
            self._end(aggregates)
        self._stored(aggregates)
        return last

    def _begin(self, aggregates: AbstractSet[str]) -> None:
        self._under_way += 1
        self._busy |= aggregates

    def _end(self, aggregates: AbstractSet[str]) -> None:
        self._under_way -= 1
        self._busy -= aggregates
        if self._queue:
            self._plan()

    def _share(self) -> int:
        """How many appends a group takes at most: its part of all that are inside."""
        return max(WHOLE, -(-self._inside // UNDER_WAY))

    def _plan(self) -> None:
        if not self._planned and not self._waking and self._under_way < UNDER_WAY:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._send_groups)

    def _send_groups(self) -> None:
        """Start what may be under way; runs once all who were ready to append have done so."""
        self._planned = False
        while self._queue and self._under_way < UNDER_WAY:
            group, self._queue = next_group(self._queue, self._busy, Bounds(self._share()))
            if not group:
                return
            # who gave up while waiting was never sent
            if wanted := [member for member in group if not member.outcome.done()]:
                aggregates = frozenset().union(*(member.aggregates for member in wanted))
                self._begin(aggregates)
                self._tasks.add(task := asyncio.ensure_future(self._send(wanted, aggregates)))
                task.add_done_callback(self._tasks.discard)

    async def _send(self, group: list[Member], aggregates: frozenset[str]) -> None:
        try:
            few = len(group) <= FEW and all(len(member.messages) == 1 for member in group)
            await (self._settle_each(group) if few else self._settle(group))
        except asyncio.CancelledError:
            for member in group:
                member.outcome.cancel()
            raise
        finally:
            self._end(aggregates)

    async def _settle_each(self, group: list[Member]) -> None:
        await asyncio.gather(*(self._settle([member]) for member in group))

    async def _settle(self, group: list[Member]) -> None:
        messages = [message for member in group for message in member.messages]
        try:
            last = await self._committer.commit(messages)
        except (Refused, Denied) as problem:
            if len(group) == 1:
                _give_up(group, problem)
            else:
                await self._settle_each(group)
        except Uncertain as problem:
            _give_up(group, problem)
            self._empty_queue(problem)
        except Exception as problem:  # noqa: BLE001 -- whatever it was, each who waits is told
            _give_up(group, problem)
        else:
            self._stored(frozenset().union(*(member.aggregates for member in group)))
            seq = last - len(messages)
            for member in group:
                seq += len(member.messages)
                self._waking.append((member, seq))
            if len(self._waking) == len(group):
                self._wake()

    def _wake(self) -> None:
        for _ in range(min(WOKEN_AT_ONCE, len(self._waking))):
            member, seq = self._waking.popleft()
            if not member.outcome.done():
                member.outcome.set_result(seq)
        if self._waking:
            asyncio.get_running_loop().call_soon(self._wake)
        elif self._queue:
            self._plan()

    def _stored(self, aggregates: AbstractSet[str]) -> None:
        if self._queue:
            self._refuse_overtaken(aggregates)
        self._tasks.add(ringing := asyncio.ensure_future(self._committer.ring(self._doorbell)))
        ringing.add_done_callback(self._tasks.discard)

    def _empty_queue(self, problem: Uncertain) -> None:
        _give_up(self._queue, problem)
        self._queue.clear()

    def _refuse_overtaken(self, aggregates: AbstractSet[str]) -> None:
        overtaken = [member for member in self._queue if not aggregates.isdisjoint(member.aggregates)]
        if overtaken:
            _give_up(overtaken, Refused("another append of this connection was stored first"))
            self._queue = deque(member for member in self._queue if not member.outcome.done())


def _give_up(members: Iterable[Member], problem: Exception) -> None:
    for member in members:
        if not member.outcome.done():
            # one exception raised in many tasks would gather all their tracebacks
            own = type(problem)(*problem.args) if isinstance(problem, Uncertain | Denied) else problem
            member.outcome.set_exception(own)
