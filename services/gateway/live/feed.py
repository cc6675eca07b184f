"""The newest events of the log, ready to be sent to any number of listeners, each read and encoded once.

Rules
1. A listener says which event it had last and gets every one after it, in order: from here while they are
   kept, else from the log.
2. A slow listener holds nobody up: it reads on when it can, from wherever it is.
3. The log is followed from when somebody listens until, nobody listening any more, something happens there.
   What happens meanwhile is nobody's loss: who comes reads it from the log, and whoever waits for an event
   when following begins is woken, to look for himself.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from itertools import islice
from typing import NamedTuple

import structlog

from events.store import Broken, EventStore, Unavailable
from services.gateway.live.message import event_message

KEPT = 4096
KEPT_BYTES = 16 << 20
PART = 256  # events given to a listener at once
PART_BYTES = 1 << 20
AGAIN_SECONDS = 1.0

log = structlog.get_logger()


class Told(NamedTuple):
    """An event as it is sent."""

    seq: int
    message: bytes


class Feed:
    """Follows the log while it runs and somebody listens."""

    def __init__(self, store: EventStore, kept_bytes: int = KEPT_BYTES) -> None:
        """Keep nothing yet, and never more than `KEPT` events and `kept_bytes` of them."""
        self._store = store
        self._kept: deque[Told] = deque()
        self._most_bytes = kept_bytes
        self._bytes = 0
        self._moved = asyncio.Event()
        self._awaited: dict[str, set[asyncio.Future[None]]] = {}
        self._listeners = 0
        self._wanted = asyncio.Event()
        self._head: int | None = None  # the last event it has, while it follows

    @property
    def kept_bytes(self) -> int:
        """How large the events are together that it keeps."""
        return self._bytes

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have the log followed for the time of the block."""
        self._listeners += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._wanted.clear()

    async def run(self) -> None:
        """Follow the log whenever somebody listens, until cancelled, however often it is away."""
        while True:
            await self._wanted.wait()
            try:
                await self._follow()
            except (Unavailable, Broken, TimeoutError, OSError) as problem:
                log.warning("the feed waits for the log", problem=str(problem))
                await asyncio.sleep(AGAIN_SECONDS)

    async def head(self) -> int:
        """Return the last event there is. Raises `Unavailable`."""
        return await self._store.head() if self._head is None else self._head

    async def beyond(self, seq: int) -> list[Told]:
        """Return what comes next after `seq` as soon as there is something; see `_after` for what it raises.

        To be called while `listening`.
        """
        while True:
            moved = self._moved
            if self._head is not None and seq < self._head:
                return await self._after(seq, self._head)
            await moved.wait()

    def next_of(self, aggregate: str, id: str) -> asyncio.Future[None]:
        """Return what is done when one aggregate may have another event; cancel it to wait no longer.

        To be called while `listening`, before looking at the aggregate.
        """
        subject = f"{aggregate}/{id}"
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(subject, set()).add(coming)
        coming.add_done_callback(lambda done: self._forget(subject, done))
        return coming

    def _forget(self, subject: str, done: asyncio.Future[None]) -> None:
        waiting = self._awaited.get(subject, set())
        waiting.discard(done)
        if not waiting:
            self._awaited.pop(subject, None)

    async def _follow(self) -> None:
        if self._head is None:
            self._head = await self._store.head()
            for subject in tuple(self._awaited):
                self._wake(subject)
            self._move()
        async with aclosing(self._store.live(self._head)) as events:  # type: ignore[type-var]  # the port promises less than a generator
            async for event in events:
                if not self._listeners:
                    self._kept.clear()
                    self._bytes = 0
                    self._head = None
                    return
                self._keep(Told(event.seq, event_message(event)))
                self._head = event.seq
                self._wake(event.envelope.subject)
                self._move()

    async def _after(self, seq: int, head: int) -> list[Told]:
        """Return the next part of what there is. Raises what reading the log raises."""
        first = self._kept[0].seq if self._kept else head + 1
        if seq + 1 >= first:
            return list(islice(self._kept, seq + 1 - first, seq + 1 - first + PART))
        part: list[Told] = []
        size = 0
        async with aclosing(self._store.read_all(seq, min(first - 1, seq + PART))) as past:  # type: ignore[type-var]  # the port promises less than a generator
            async for event in past:
                part.append(Told(event.seq, event_message(event)))
                size += len(part[-1].message)
                if size >= PART_BYTES:
                    break
        return part

    def _keep(self, told: Told) -> None:
        self._kept.append(told)
        self._bytes += len(told.message)
        while len(self._kept) > KEPT or self._bytes > self._most_bytes:
            self._bytes -= len(self._kept.popleft().message)

    def _wake(self, subject: str) -> None:
        """Wake whoever waits now for an event of an aggregate; who comes later waits for the next."""
        for coming in self._awaited.pop(subject, ()):
            if not coming.done():
                coming.set_result(None)

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
