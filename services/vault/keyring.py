"""Seals and unseals by subject, and changes the root that all keys stand under.

Rules
1. A key is made when something is first sealed for its subject, under a root that the store knows; a secret
   whose root the store does not know makes and overwrites nothing.
2. Nothing is remembered between two calls: a deletion counts for every process at once.
3. While the secret is being changed both are given; what stands under either can be read.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.vault.keys import Deletion, Entry, KeyStore, WrappedKey
from services.vault.sealing import (
    KEY_BYTES,
    KEY_ID_BYTES,
    NONCE_BYTES,
    DataKey,
    Root,
    checked_subject,
    seal,
    unseal,
    unwrap,
    wrap,
)


class WrongSecret(Exception):  # noqa: N818 -- says what is wrong
    """The secret is not the one that the keys were wrapped with."""


class KeyDeleted(Exception):  # noqa: N818 -- what happened
    """The subject's key was deleted: what was sealed is unreadable, and nothing is sealed for it any more."""

    def __init__(self, deletion: Deletion) -> None:
        """Say when, by whom and why."""
        day = f"{deletion.at:%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"the key of {deletion.subject} was deleted on {day} by {deletion.by} ({deletion.reason}); "
            "what was sealed with it cannot be read any more"
        )
        self.deletion = deletion


class KeyMissing(Exception):  # noqa: N818 -- what was found
    """There is no key of that subject, and no record that it was deleted."""


@dataclass(frozen=True)
class Rotation:
    """What a change of root did: how many keys were wrapped anew, and how many stood so already."""

    rewrapped: int
    stood: int


class Keyring:
    """The keys of all subjects, to who knows the secret."""

    def __init__(
        self,
        store: KeyStore,
        current: Root,
        former: Root | None,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`former` is the root of the secret before, as long as keys may stand under it."""
        self._store = store
        self._roots = {root.id: root for root in (current, former) if root is not None}
        self._clock = clock
        self._random = randomness

    async def seal(self, subject: str, media_type: str, content: bytes) -> bytes:
        """Return `content` sealed for a subject, new bytes every time. Raises `KeyDeleted`, `WrongSecret`."""
        entry = await self._store.find(checked_subject(subject))
        if not entry.keys and entry.deleted is None:
            entry = await self._with_key(subject)
        return seal(self._opened(entry), media_type, content, self._random(NONCE_BYTES))

    async def unseal(self, subject: str, media_type: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises `KeyDeleted`, `KeyMissing`, `WrongSecret`, `Unopened`."""
        return unseal(self._opened(await self._store.find(subject)), media_type, sealed)

    async def _with_key(self, subject: str) -> Entry:
        """Make the subject's key, or take the one that another made meanwhile."""
        known = await self._store.roots()
        root = next((root for id, root in self._roots.items() if id in known), None)
        if root is None:
            raise WrongSecret(f"no key can be made for {subject}: {other_secret(known)}")
        key = DataKey(subject, self._random(KEY_ID_BYTES).hex(), self._random(KEY_BYTES))
        wrapped = wrapped_key(root, key, self._random(NONCE_BYTES), self._clock())
        if await self._store.add(wrapped):
            return Entry(subject=subject, keys=(wrapped,))
        return await self._store.find(subject)

    def _opened(self, entry: Entry) -> DataKey:
        return opened(entry, self._roots)


def opened(entry: Entry, roots: dict[str, Root]) -> DataKey:
    """Return the data key of an entry. Raises `KeyDeleted`, `KeyMissing`, `WrongSecret`, `Unopened`."""
    if entry.deleted is not None:
        raise KeyDeleted(entry.deleted)
    if not entry.keys:
        raise KeyMissing(
            f"there is no key of {entry.subject}; was the stream of keys restored from an older backup?"
        )
    for kept in entry.keys:
        if root := roots.get(kept.root):
            return unwrap(root, kept.subject, kept.id, bytes.fromhex(kept.wrapped))
    known = tuple(key.root for key in entry.keys)
    raise WrongSecret(f"the key of {entry.subject} cannot be opened: {other_secret(known)}")


def wrapped_key(root: Root, key: DataKey, nonce: bytes, made_at: datetime) -> WrappedKey:
    """Return a data key as it is kept under `root`."""
    body = wrap(root, key, nonce).hex()
    return WrappedKey(subject=key.subject, id=key.id, root=root.id, made_at=made_at, wrapped=body)


def other_secret(known: tuple[str, ...]) -> str:
    """Say that another secret is wanted, by the ids of the roots that are known."""
    told = ", ".join(id[:8] for id in known) or "none"
    return f"SECRET_KEY_BASE is not the one that the keys were made with (roots known: {told})"


async def rotate(
    store: KeyStore,
    current: Root,
    former: Root | None,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> Rotation:
    """Bring every key under `current`, then erase what stood under `former`, for good.

    Nothing is erased unless every key opened. May be repeated, and goes on where it was interrupted. Raises
    `WrongSecret` where a key stands under neither root.
    """
    known = await store.roots()
    if strange := tuple(id for id in known if id not in {current.id, former.id if former else ""}):
        raise WrongSecret(
            f"nothing was changed: {other_secret(strange)}; give that one as SECRET_KEY_BASE_OLD"
        )
    roots = {root.id: root for root in (current, former) if root is not None}
    held = [entry for entry in await store.entries() if entry.keys]
    keys = [opened(entry, roots) for entry in held]
    await store.add_root(current.id)
    outdated = [pair for pair in zip(held, keys, strict=True) if pair[0].under(current.id) is None]
    for entry, key in outdated:
        again = wrapped_key(current, key, randomness(NONCE_BYTES), entry.keys[0].made_at)
        await store.add_under(again)
    if former is not None:
        await store.erase_root(former.id)
    return Rotation(len(outdated), len(held) - len(outdated))
