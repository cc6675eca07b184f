"""Asks a store of keys once for all who ask for the same at the same time.

Rules
1. Who asks is answered by a look that began after they asked: a deletion counts for every call after it.
2. Nothing is kept once it was answered. What a look raises is raised to each who waited for it.
"""

import asyncio
from functools import partial

from services.vault.keys import Deletion, Entry, KeyStore, WrappedKey

Look = asyncio.Task[Entry]


class Together:
    """A store of keys whose `find` is shared; all else goes straight to the store. One event loop only."""

    def __init__(self, store: KeyStore) -> None:
        """Share the looks at `store`."""
        self._store = store
        self._under_way: dict[str, Look] = {}
        self._next: dict[str, Look] = {}

    async def find(self, subject: str) -> Entry:
        """Return what is kept of a subject; see the port."""
        running = self._under_way.get(subject)
        if running is None:
            look = self._begin(subject)
        elif (waiting := self._next.get(subject)) is not None:
            look = waiting
        else:
            look = self._next[subject] = asyncio.create_task(self._after(running, subject))
        return await asyncio.shield(look)

    def _begin(self, subject: str) -> Look:
        look = self._under_way[subject] = asyncio.create_task(self._store.find(subject))
        look.add_done_callback(partial(self._ended, subject))
        return look

    async def _after(self, running: Look, subject: str) -> Entry:
        await asyncio.wait([running])
        del self._next[subject]
        return await asyncio.shield(self._begin(subject))

    def _ended(self, subject: str, look: Look) -> None:
        if self._under_way.get(subject) is look:
            del self._under_way[subject]

    async def roots(self) -> tuple[str, ...]:
        """Return the ids of all roots; see the port."""
        return await self._store.roots()

    async def add_first_root(self, root: str) -> bool:
        """Take the first root; see the port."""
        return await self._store.add_first_root(root)

    async def add_root(self, root: str) -> None:
        """Take one more root; see the port."""
        await self._store.add_root(root)

    async def erase_root(self, root: str) -> None:
        """Forget a root; see the port."""
        await self._store.erase_root(root)

    async def add(self, key: WrappedKey) -> bool:
        """Keep the one key of a subject; see the port."""
        return await self._store.add(key)

    async def add_under(self, key: WrappedKey) -> None:
        """Keep a key under one more root; see the port."""
        await self._store.add_under(key)

    async def entries(self) -> list[Entry]:
        """Return what is kept of every subject; see the port."""
        return await self._store.entries()

    async def delete(self, deletion: Deletion) -> None:
        """Write a deletion down and erase; see the port."""
        await self._store.delete(deletion)
