"""One event loop on a thread of its own, and the way into it for callers that know no event loop.

The library's interface is synchronous. A call from within a running event loop would stop that loop until
the answer is there (and for ever where the answer needs that loop), so it is refused by name.
"""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread, current_thread
from typing import Any, Protocol, TypeVar

from eventsourcing.persistence import InterfaceError, ProgrammingError

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


class Loop(Protocol):
    """Runs work of an event loop for a thread that has none."""

    def call(self, work: Work[T]) -> T:
        """Run `work` to its end and return its outcome. Raises `ProgrammingError` within a running loop."""
        ...


def refuse_within_a_running_loop() -> None:
    """Raise `ProgrammingError` when the calling thread runs an event loop at this moment."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ProgrammingError(
        "an eventsourcing recorder was called from a running event loop, which would stand still: "
        "call it by `await asyncio.to_thread(...)`"
    )


class LoopThread:
    """An event loop that runs on a private thread until it is closed."""

    def __init__(self, name: str) -> None:
        """Start the thread; `name` is the thread's."""
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Work[T]) -> T:
        """Run `work` on the thread and return its outcome; see the port."""
        refuse_within_a_running_loop()
        return self._outcome(work)

    def close(self, work: Work[None]) -> None:
        """Run `work` as the last, and end the thread. Without effect when it has ended."""
        if self.loop.is_closed() or current_thread() is self._thread:
            return
        try:
            self._outcome(work)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    def _outcome(self, work: Work[T]) -> T:
        if self.loop.is_closed():
            raise InterfaceError("the recorder was closed")
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


class GivenLoop:
    """Somebody's running event loop, for calls from other threads. It stays theirs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep `loop` running for as long as calls are made."""
        self._loop = loop

    def call(self, work: Work[T]) -> T:
        """Run `work` on the given loop and return its outcome; see the port."""
        refuse_within_a_running_loop()
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()
