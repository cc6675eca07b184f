"""Looks at the store of keys that are shared: fewer of them, and none older than the question."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.vault.keyring import KeyDeleted, Keyring
from services.vault.keys import Deletion, Entry
from services.vault.memory import InMemoryKeyStore
from services.vault.sealing import root_of
from services.vault.together import Together

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SUBJECT = "delivery/github-20260105"
GONE = Deletion(subject=SUBJECT, by="cli", reason="forgotten", at=NOW)


class SlowStore(InMemoryKeyStore):
    """Counts looks at what is kept in `inner`, and holds each until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemoryKeyStore()
        self.looks = 0
        self.open = asyncio.Event()
        self.open.set()
        self.seen = asyncio.Event()
        self.broken = False

    async def find(self, subject: str) -> Entry:
        self.looks += 1
        if self.broken:
            raise ConnectionError("away")
        found = await self.inner.find(subject)
        self.seen.set()
        await self.open.wait()
        return found


async def test_who_asks_at_once_shares_a_look() -> None:
    store = SlowStore()
    together = Together(store)
    store.open.clear()
    asking = [asyncio.create_task(together.find(SUBJECT)) for _ in range(50)]
    await asyncio.sleep(0)
    store.open.set()
    assert {one.subject for one in await asyncio.gather(*asking)} == {SUBJECT}
    assert store.looks == 2  # the first's own, and one that began after all others had asked


async def test_a_deletion_counts_for_who_asks_after_it() -> None:
    store = SlowStore()
    together = Together(store)
    store.open.clear()
    before = asyncio.create_task(together.find(SUBJECT))
    await store.seen.wait()
    await store.inner.delete(GONE)
    after = asyncio.create_task(together.find(SUBJECT))
    await asyncio.sleep(0)
    store.open.set()
    assert (await before).deleted is None
    assert (await after).deleted == GONE


async def test_what_a_look_raises_is_raised_to_all_and_not_kept() -> None:
    store = SlowStore()
    together = Together(store)
    store.broken = True
    asking = [together.find(SUBJECT) for _ in range(3)]
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 3
    store.broken = False
    assert (await together.find(SUBJECT)).subject == SUBJECT


async def test_who_no_longer_waits_ends_nobody_elses_look() -> None:
    store = SlowStore()
    together = Together(store)
    store.open.clear()
    first, second, third = (asyncio.create_task(together.find(SUBJECT)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    store.open.set()
    assert (await third).subject == SUBJECT


async def test_a_keyring_over_it_seals_opens_and_forgets() -> None:
    store, root = InMemoryKeyStore(), root_of("s" * 40)
    await store.add_first_root(root.id)
    keyring = Keyring(Together(store), root, None, lambda: NOW)
    bodies = await asyncio.gather(*(keyring.seal(SUBJECT, "text/plain", b"%d" % n) for n in range(20)))
    assert [await keyring.unseal(SUBJECT, "text/plain", one) for one in bodies] == [
        b"%d" % n for n in range(20)
    ]
    await store.delete(GONE)
    with pytest.raises(KeyDeleted):
        await keyring.seal(SUBJECT, "text/plain", b"")
