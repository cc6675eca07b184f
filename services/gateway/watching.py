"""Asks for the components' health again and again, so that no page waits for what does not answer."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from schemas.base import Frozen
from services.gateway.health import Asker, Health, health
from services.runtime.ground import now

PAUSE_SECONDS = 3.0


class Seen(Frozen):
    """What was found, and when."""

    health: Health
    time: datetime


class HealthWatch:
    """Keeps what was found last while it runs."""

    def __init__(self, asker: Asker, changed: Callable[[], None]) -> None:
        """Know nothing yet. `changed` is called whenever a component stands otherwise than before."""
        self._asker = asker
        self._changed = changed
        self._states: tuple[tuple[str, str], ...] = ()
        self._last: asyncio.Future[Seen] | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            seen = Seen(health=await health(self._asker), time=now())
            self._tell(seen)
            self._compare(seen)
            await asyncio.sleep(PAUSE_SECONDS)

    def _compare(self, seen: Seen) -> None:
        states = tuple((one.name, one.state.value) for one in seen.health.components)
        if states != self._states:
            self._states = states
            self._changed()

    async def last(self) -> Seen:
        """Return what was found last; only who comes before the first answer waits for it."""
        return await asyncio.shield(self._future())

    def _tell(self, seen: Seen) -> None:
        if self._future().done():
            self._last = None
        self._future().set_result(seen)

    def _future(self) -> asyncio.Future[Seen]:
        if self._last is None:
            self._last = asyncio.get_running_loop().create_future()
        return self._last
