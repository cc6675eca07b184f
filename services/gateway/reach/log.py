"""The log as the gateway uses it: nobody waits for NATS while that is away.

What is followed for ever (`live`) goes on waiting: nobody is to be answered there.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from events.envelope import Cause
from events.store import Artefacts, Batch, EventStore, Position, Recorded
from schemas.artefacts import ArtefactRef
from schemas.sealed import Sealed
from services.gateway.reach.reach import Reach
from services.runtime.log import Clock, Log
from services.vault.keyring import Keyring


class ReachedStore:
    """A store of events whose every call is bounded by whether it can be reached; see the port."""

    def __init__(self, store: EventStore, reach: Reach) -> None:
        """Both stay the caller's."""
        self._store = store
        self._reach = reach

    async def append_many(self, batches: Sequence[Batch], cause: Cause) -> tuple[Position, ...]:
        """Append all batches atomically; see the port."""
        async with self._reach.awaited():
            return await self._store.append_many(batches, cause)

    async def read(self, aggregate: str, id: str) -> tuple[tuple[Recorded, ...], Position]:
        """Return the events of one aggregate and its position; see the port."""
        async with self._reach.awaited():
            return await self._store.read(aggregate, id)

    async def as_of(
        self, aggregate: str, id: str, moment: int | datetime
    ) -> tuple[tuple[Recorded, ...], Position]:
        """Return one aggregate as it stood at `moment`; see the port."""
        async with self._reach.awaited():
            return await self._store.as_of(aggregate, id, moment)

    async def position(self, aggregate: str, id: str) -> Position:
        """Return where one aggregate stands; see the port."""
        async with self._reach.awaited():
            return await self._store.position(aggregate, id)

    async def read_all(self, after: int = 0, until: int | None = None) -> AsyncIterator[Recorded]:
        """Yield the log in order; see the port."""
        async with aclosing(self._store.read_all(after, until)) as events:  # type: ignore[type-var]  # the port promises less than a generator
            while True:
                async with self._reach.awaited():
                    event = await anext(events, None)
                if event is None:
                    return
                yield event

    def live(self, after: int = 0) -> AsyncIterator[Recorded]:
        """Yield the log and then what is new; see the port."""
        return self._store.live(after)

    async def ids(self, aggregate: str, fact: str) -> tuple[str, ...]:
        """Return which aggregates of a kind have a fact; see the port."""
        async with self._reach.awaited():
            return await self._store.ids(aggregate, fact)

    async def tally(self, aggregate: str, fact: str) -> Mapping[str, int]:
        """Return how often each aggregate recorded a fact; see the port."""
        async with self._reach.awaited():
            return await self._store.tally(aggregate, fact)

    async def head(self) -> int:
        """Return the last sequence of the stream."""
        async with self._reach.awaited():
            return await self._store.head()

    async def seq_at(self, time: datetime) -> int:
        """Return the last sequence stored at or before `time`."""
        async with self._reach.awaited():
            return await self._store.seq_at(time)


class ReachedLog(Log):
    """The log whose events, artefacts and keys are waited for while NATS answers, and no longer."""

    def __init__(
        self,
        reach: Reach,
        store: EventStore,
        artefacts: Artefacts,
        clock: Clock,
        fork: str = "",
        keyring: Keyring | None = None,
    ) -> None:
        """As of the log itself; `reach` is the way to the server that has all of it."""
        super().__init__(ReachedStore(store, reach), artefacts, clock, fork, keyring)
        self._reach = reach

    @property
    def why_away(self) -> str:
        """Why NATS was found not to answer; empty where it was not."""
        return self._reach.why_away

    async def keep(
        self, content: bytes | str, name: str, media_type: str, *, sealed_for: str | None = None
    ) -> ArtefactRef:
        """Store an artefact; see the log."""
        async with self._reach.awaited():
            return await super().keep(content, name, media_type, sealed_for=sealed_for)

    async def fetch(self, ref: ArtefactRef) -> bytes:
        """Return an artefact's content; see the log."""
        async with self._reach.awaited():
            return await super().fetch(ref)

    async def conceal(self, text: str, sealed_for: str) -> Sealed:
        """Return a text as a fact may carry it; see the log."""
        async with self._reach.awaited():
            return await super().conceal(text, sealed_for)

    async def reveal(self, sealed: Sealed) -> str:
        """Return the text of a sealed value; see the log."""
        async with self._reach.awaited():
            return await super().reveal(sealed)
