"""The newest events of the log, ready to be sent to any number of listeners, each read and encoded once.

Rules
1. A listener says which event it had last and gets every one after it, in order: from here while they are
   kept, else from the log.
2. A slow listener holds nobody up: it reads on when it can, from wherever it is.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import structlog

from events.store import Broken, EventStore, Recorded, Unavailable

KEPT = 4096
PART = 256  # events read from the log at once for a listener that is far behind
AGAIN_SECONDS = 1.0

log = structlog.get_logger()


class Feed:
    """Follows the log from when it runs; `head` is the last event it has."""

    def __init__(self, store: EventStore) -> None:
        """Keep nothing yet."""
        self._store = store
        self._kept: deque[Recorded] = deque(maxlen=KEPT)
        self._moved = asyncio.Event()
        self._awaited: dict[str, set[asyncio.Future[None]]] = {}
        self.head = 0

    async def run(self) -> None:
        """Follow the log until cancelled, however often it is away."""
        while True:
            try:
                self.head = self.head or await self._store.head()
                async for event in self._store.live(self.head):
                    self._kept.append(event)
                    self.head = event.seq
                    self._tell(event)
            except (Unavailable, Broken, TimeoutError, OSError) as problem:
                log.warning("the feed waits for the log", problem=str(problem))
                await asyncio.sleep(AGAIN_SECONDS)

    async def after(self, seq: int) -> AsyncIterator[Recorded]:
        """Yield every event after `seq`, for ever. Raises what reading the log raises."""
        while True:
            moved = self._moved
            while seq < self.head:
                async for event in self._from(seq):
                    yield event
                    seq = event.seq
            await moved.wait()

    def next_of(self, aggregate: str, id: str) -> asyncio.Future[None]:
        """Return what is done with the next event of one aggregate; cancel it to wait no longer."""
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

    async def _from(self, seq: int) -> AsyncIterator[Recorded]:
        first = self._kept[0].seq if self._kept else self.head + 1
        if seq + 1 >= first:
            for event in list(self._kept)[seq + 1 - first :]:
                yield event
            return
        async for event in self._store.read_all(seq, min(first - 1, seq + PART)):
            yield event

    def _tell(self, event: Recorded) -> None:
        """Wake whoever waits now; who comes later waits for the next."""
        for coming in self._awaited.pop(event.envelope.subject, ()):
            if not coming.done():
                coming.set_result(None)
        self._moved.set()
        self._moved = asyncio.Event()
