"""Counts what comes in floods: the log takes the first of each kind at once, and the rest as a number."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Generic, TypeVar

SECONDS = 10.0
KindT = TypeVar("KindT", bound=Hashable)
FactT = TypeVar("FactT")


class Counted(ABC, Generic[KindT, FactT]):
    """Counts for one gateway; `run` is to be run beside it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Count nothing yet; what was counted is recorded every so many seconds."""
        self._seconds = seconds
        self._recent: set[KindT] = set()
        self._pending: dict[KindT, FactT] = {}

    async def run(self) -> None:
        """Record what was counted, time and again, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._seconds)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Record all that was counted; what follows on it is held back again."""
        self._recent = set(self._pending)
        for kind in tuple(self._pending):
            await self._record(kind)

    async def _record_first(self, kind: KindT) -> None:
        """Record what was counted of a kind where that is the first of it."""
        if kind not in self._recent:
            self._recent.add(kind)
            await self._record(kind)

    @abstractmethod
    async def _record(self, kind: KindT) -> None:
        """Record what was counted of a kind; it is counted still where the log is away."""
