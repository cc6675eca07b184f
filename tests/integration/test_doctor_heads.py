"""What `aps doctor` says of the newest signed head."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest

from events.envelope import NO_HASH
from events.evidence.heads import Head, SigningKey, sign
from events.memory import InMemoryEventStore
from projections.heads import keep
from services.cli.care.examinations import signed_heads
from services.gateway.health import Asker, State
from services.runtime.head_keys import signing_key
from services.runtime.settings import Settings, load

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"APS_HOME": str(tmp_path), "SECRET_KEY_BASE": "a secret that is quite long enough"})


@pytest.fixture
async def asker(database: str, settings: Settings) -> AsyncIterator[Asker]:
    """Asks an empty log and a database of its own."""
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        ground, store = SimpleNamespace(settings=settings), InMemoryEventStore(lambda: NOW)
        yield Asker(cast("Any", ground), cast("Any", None), store, pool)


async def kept(asker: Asker, head: Head) -> None:
    async with asker.pool.acquire() as connection:
        await keep(connection, [head])


async def test_before_the_first_head_all_is_well(asker: Asker) -> None:
    assert (await signed_heads(asker)).state is State.OK


async def test_a_head_of_another_key_is_told_with_what_to_give(asker: Asker) -> None:
    await kept(asker, sign(0, 0, NO_HASH, NOW, SigningKey.derived("another secret, also quite long")))
    found = await signed_heads(asker)
    assert found.state is State.FAILED
    assert "not trusted here" in found.detail
    assert "APS_TRUSTED_KEYS" in found.cure


async def test_an_altered_head_is_told(asker: Asker, settings: Settings) -> None:
    head = sign(0, 0, NO_HASH, NOW, signing_key(settings))
    await kept(asker, replace(head, chain="1" * 64))
    found = await signed_heads(asker)
    assert (found.state, "was altered" in found.detail) == (State.FAILED, True)


async def test_a_log_that_ends_before_its_newest_head_was_cut(asker: Asker, settings: Settings) -> None:
    await kept(asker, sign(7, 0, NO_HASH, NOW, signing_key(settings)))
    found = await signed_heads(asker)
    assert found.state is State.FAILED
    assert "signed up to 7 and ends at 0" in found.detail
    assert "aps restore --journal" in found.cure


async def test_a_head_of_our_own_is_well(asker: Asker, settings: Settings) -> None:
    await kept(asker, sign(0, 0, NO_HASH, NOW, signing_key(settings)))
    assert (await signed_heads(asker)).state is State.OK
