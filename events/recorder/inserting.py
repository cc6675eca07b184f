"""Group commit: inserts of many threads become one atomic batch, and each learns its own outcome.

Rules
1. An insert is stored whole or not at all, and its messages lie side by side in the stream.
2. Every message expects its subject to be empty, so the server itself refuses a version that is there.
3. Whatever is not a plain yes is settled by reading back: an insert is stored when its own mark is there,
   it conflicts when another's is, and it is tried again when nothing is there. One conflict never fails a
   neighbour, and a repeated attempt stores nothing twice (by rule 2).
4. A lone insert goes straight out. While one batch is under way the others gather for the next: each batch
   costs the server a flush, so two at a time of half the size would be slower.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import count
from threading import Lock
from uuid import uuid4

from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    PersistenceError,
)

from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import Stored
from events.jetstream.wire import Message
from events.recorder.connection import Bell, ThreadedConnection
from events.recorder.loop import refuse_within_a_running_loop
from events.recorder.stream import MAX_BATCH, Stream
from events.store import Denied

MAX_BYTES = 8 * 1024 * 1024
PAUSE_SECONDS = 0.05
LOOK_SECONDS = 1.0  # a thread that waits looks this often whether the recorder was closed meanwhile
MARK = "Eventsourcing-Insert"

_ours = uuid4().hex
_numbers = count(1)


def new_mark() -> str:
    """Return a mark that no insert had before, without asking the system for randomness each time."""
    return f"{_ours}-{next(_numbers)}"


class Insert:
    """Messages to store together; `mark` is in the headers of each and tells whose they are.

    One thread waits for the outcome, which is a bare lock: a `Future` costs as much as the rest of an insert.
    """

    __slots__ = ("_first", "_is_open", "_problem", "_settled", "mark", "messages", "size", "subjects")

    def __init__(self, mark: str, messages: tuple[Message, ...]) -> None:
        """The outcome is open."""
        self.mark = mark
        self.messages = messages
        self.size = sum(len(message.body) for message in messages)
        self.subjects = {message.subject for message in messages}
        self._first = 0
        self._is_open = True  # told apart on the loop thread alone
        self._problem: PersistenceError | None = None
        self._settled = Lock()
        self._settled.acquire()

    def stored(self, first: int) -> None:
        """Settle: the messages stand from sequence `first` on."""
        self._first = first
        self._is_open = False
        self._settled.release()

    def fail(self, problem: PersistenceError) -> None:
        """Settle: nothing is stored, or nobody knows. Without effect on what is settled."""
        if self._is_open:
            self._problem = problem
            self._is_open = False
            self._settled.release()

    def sequences(self, seconds: float) -> range | None:
        """Wait for the outcome, `seconds` at most; return the sequences or raise the problem."""
        if not self._settled.acquire(timeout=seconds):
            return None
        if self._problem is not None:
            raise self._problem
        return range(self._first, self._first + len(self.messages))


class Inserter:
    """Stores inserts in one stream, from any thread."""

    def __init__(self, connection: ThreadedConnection, stream: Stream, bell: Bell) -> None:
        """`bell` is rung after every batch."""
        self._connection = connection
        self._stream = stream
        self._bell = bell
        self._committer = Committer(connection.client)
        self._waiting: deque[Insert] = deque()
        self._awake = False
        self._committing: asyncio.Task[None] | None = None

    def insert(self, insert: Insert) -> range:
        """Store the messages of `insert` and return their sequences. Raises as the library's recorders do."""
        refuse_within_a_running_loop()
        self._waiting.append(insert)
        if not self._awake:
            self._awake = True
            try:
                self._connection.thread.loop.call_soon_threadsafe(self._start)
            except RuntimeError as problem:
                raise InterfaceError("the recorder was closed") from problem
        while (sequences := insert.sequences(LOOK_SECONDS)) is None:
            if self._connection.thread.loop.is_closed():
                raise InterfaceError("the recorder was closed")
        return sequences

    def _start(self) -> None:
        # first the flag, then the queue: who finds the flag down rings again
        self._awake = False
        if self._committing is None or self._committing.done():
            self._committing = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            group = gather(self._waiting)
            try:
                await self._commit(group)
            except PersistenceError as problem:
                _fail(group, problem)
            except asyncio.CancelledError:
                _fail([*group, *self._waiting], InterfaceError("the recorder was closed"))
                raise
            except Exception as problem:  # noqa: BLE001 -- threads wait for an outcome, whatever went wrong
                _fail(group, InternalError(repr(problem)))

    async def _commit(self, group: list[Insert]) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._connection.patience
        while group:
            try:
                last = await self._committer.commit([m for insert in group for m in insert.messages])
            except Denied as problem:
                raise OperationalError(str(problem)) from problem
            except Uncertain as problem:
                left = await self._settled(group)
                if clock() >= deadline and left:
                    why = self._connection.reason(problem)
                    raise OperationalError(
                        f"stream {self._stream.name} does not take events: {why}"
                    ) from problem
                if len(left) == len(group):
                    await asyncio.sleep(PAUSE_SECONDS)
                group = left
            else:
                _stored(group, last)
                await self._bell.ring()
                return

    async def _settled(self, group: list[Insert]) -> list[Insert]:
        try:
            return await self._connection.patiently(partial(self._settle, group))
        except OperationalError as problem:
            raise OperationalError(f"the events may or may not be stored: {problem}") from problem

    async def _settle(self, group: list[Insert]) -> list[Insert]:
        found = {
            s.subject: s for s in await self._stream.lasts([m.subject for i in group for m in i.messages])
        }
        left = []
        for insert in group:
            there = [found[m.subject] for m in insert.messages if m.subject in found]
            if not there:
                left.append(insert)
            elif all(stored.headers.get(MARK) == insert.mark for stored in there):
                insert.stored(there[0].seq)
            else:
                insert.fail(_conflict(there))
        return left


def gather(waiting: deque[Insert]) -> list[Insert]:
    """Take inserts for one batch off the queue, in order; those of one subject never meet in a batch."""
    group: list[Insert] = []
    subjects: set[str] = set()
    size = 0
    while waiting:
        insert = waiting[0]
        size += insert.size
        full = len(subjects) + len(insert.subjects) > MAX_BATCH or size > MAX_BYTES
        if group and (full or not subjects.isdisjoint(insert.subjects)):
            break
        group.append(waiting.popleft())
        subjects |= insert.subjects
    return group


def _stored(group: Sequence[Insert], last: int) -> None:
    first = last + 1 - sum(len(insert.messages) for insert in group)
    for insert in group:
        insert.stored(first)
        first += len(insert.messages)


def _fail(group: Sequence[Insert], problem: PersistenceError) -> None:
    for insert in group:
        insert.fail(type(problem)(*problem.args))


def _conflict(there: Sequence[Stored]) -> IntegrityError:
    return IntegrityError(f"already recorded: {', '.join(stored.subject for stored in there[:3])}")
