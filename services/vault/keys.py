"""The port to where wrapped keys are kept: the one place from which something can be deleted for good.

Rules, for every store (`tests/contract/test_keyring_store.py` holds them to it):
1. A subject gets one data key, ever: the first that is added wins, and a deleted subject gets no other.
2. A key may stand under several roots while the secret is being changed; under each root it stands once.
3. Deleting a subject's key writes down first that, when, by whom and why it was; then every wrapped form is
   erased. Repeating it erases what is left.
4. The first root is taken only while there is none at all.
"""

from datetime import datetime
from typing import Protocol

from schemas.base import Frozen


class WrappedKey(Frozen):
    """A data key under one root. `wrapped` is hex, and of no use without the secret."""

    subject: str
    id: str
    root: str
    made_at: datetime
    wrapped: str


class Deletion(Frozen):
    """The record that stays where a subject's key was."""

    subject: str
    at: datetime
    by: str
    reason: str


class Entry(Frozen):
    """What is kept of one subject."""

    subject: str
    keys: tuple[WrappedKey, ...] = ()
    deleted: Deletion | None = None

    def under(self, root: str) -> WrappedKey | None:
        """Return the key as it stands under that root."""
        return next((key for key in self.keys if key.root == root), None)


class KeyStore(Protocol):
    """Keeps wrapped keys by subject, and the ids of the roots they stand under."""

    async def roots(self) -> tuple[str, ...]:
        """Return the ids of all roots in use."""
        ...

    async def add_first_root(self, root: str) -> bool:
        """Take the first root; False when another was taken before."""
        ...

    async def add_root(self, root: str) -> None:
        """Take one more root; one that is there stays."""
        ...

    async def erase_root(self, root: str) -> None:
        """Forget a root and every key under it, for good."""
        ...

    async def add(self, key: WrappedKey) -> bool:
        """Keep the one key of a subject; False when it has another already, or was deleted."""
        ...

    async def add_under(self, key: WrappedKey) -> None:
        """Keep a key that the subject has already under one more root; one that stands there stays."""
        ...

    async def find(self, subject: str) -> Entry:
        """Return what is kept of a subject, an empty entry when that is nothing."""
        ...

    async def entries(self) -> list[Entry]:
        """Return what is kept of every subject, in order of subject."""
        ...

    async def delete(self, deletion: Deletion) -> None:
        """Write the deletion down, then erase the subject's key for good."""
        ...
