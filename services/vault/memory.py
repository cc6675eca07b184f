"""Wrapped keys in memory, for tests: the same contract, no server."""

from services.vault.keys import Deletion, Entry, WrappedKey


class InMemoryKeyStore:
    """Keeps keys in a dict. One event loop only."""

    def __init__(self) -> None:
        """Start empty."""
        self._roots: list[str] = []
        self._entries: dict[str, Entry] = {}

    async def roots(self) -> tuple[str, ...]:
        """Return the ids of all roots; see the port."""
        return tuple(sorted(self._roots))

    async def add_first_root(self, root: str) -> bool:
        """Take the first root; see the port."""
        if not self._roots:
            self._roots.append(root)
        return root in self._roots

    async def add_root(self, root: str) -> None:
        """Take one more root; see the port."""
        if root not in self._roots:
            self._roots.append(root)

    async def erase_root(self, root: str) -> None:
        """Forget a root and its keys; see the port."""
        for entry in self._entries.values():
            self._keep(entry, tuple(key for key in entry.keys if key.root != root))
        self._roots = [one for one in self._roots if one != root]

    async def add(self, key: WrappedKey) -> bool:
        """Keep the one key of a subject; see the port."""
        entry = await self.find(key.subject)
        if entry.keys or entry.deleted:
            return key in entry.keys
        self._keep(entry, (key,))
        return True

    async def add_under(self, key: WrappedKey) -> None:
        """Keep a key under one more root; see the port."""
        entry = await self.find(key.subject)
        if entry.under(key.root) is None and entry.deleted is None:
            self._keep(entry, (*entry.keys, key))

    async def find(self, subject: str) -> Entry:
        """Return what is kept of a subject; see the port."""
        return self._entries.get(subject, Entry(subject=subject))

    async def entries(self) -> list[Entry]:
        """Return what is kept of every subject; see the port."""
        return [self._entries[subject] for subject in sorted(self._entries)]

    async def delete(self, deletion: Deletion) -> None:
        """Write the deletion down and erase; see the port."""
        entry = await self.find(deletion.subject)
        kept = entry.deleted or deletion
        self._entries[entry.subject] = Entry(subject=entry.subject, deleted=kept)

    def _keep(self, entry: Entry, keys: tuple[WrappedKey, ...]) -> None:
        self._entries[entry.subject] = entry.model_copy(update={"keys": keys})
