"""A bounded room: what would overfill it waits outside, first come, first served."""

import asyncio
from collections import deque


class Room:
    """Counts events and bytes that are on their way; one event loop only."""

    def __init__(self, events: int, size: int) -> None:
        """An append larger than the whole room is let in when the room is empty."""
        self._limits = (events, size)
        self._events = 0
        self._bytes = 0
        self._outside: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    @property
    def held(self) -> tuple[int, int]:
        """How many events and bytes are inside."""
        return self._events, self._bytes

    async def enter(self, events: int, size: int) -> None:
        """Wait until there is room; `leave` with the same figures."""
        if not self._outside and self._fits(events, size):
            self._take(events, size)
            return
        turn = asyncio.get_running_loop().create_future()
        self._outside.append((events, size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(events, size)
            raise

    def leave(self, events: int, size: int) -> None:
        """Give the room back and let in whoever fits now."""
        self._events -= events
        self._bytes -= size
        while self._outside and (self._outside[0][2].done() or self._fits(*self._outside[0][:2])):
            wanted, weight, turn = self._outside.popleft()
            if not turn.done():
                self._take(wanted, weight)
                turn.set_result(None)

    def _fits(self, events: int, size: int) -> bool:
        within = self._events + events <= self._limits[0] and self._bytes + size <= self._limits[1]
        return within or not self._events

    def _take(self, events: int, size: int) -> None:
        self._events += events
        self._bytes += size
