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
from services.runtime.head_keys import key_file, signing_key
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
    key = SigningKey.derived("another secret, also quite long").public
    assert f"aps events key --trust PUB (PUB is the public part of key {key.id}: " in found.cure
    assert "SECRET_KEY_BASE" in found.cure


async def test_a_lost_key_is_told_with_the_file_to_put_back_and_how_another_is_made(
    asker: Asker, tmp_path: Path
) -> None:
    ground = SimpleNamespace(settings=load({"APS_HOME": str(tmp_path)}))
    key = SigningKey.derived("another secret, also quite long")
    await kept(asker, sign(0, 0, NO_HASH, NOW, key))
    found = await signed_heads(replace(asker, ground=cast("Any", ground)))
    assert (found.state, key.public.id in found.detail) == (State.FAILED, True)
    assert f"Put {key_file(tmp_path)} back from a backup of the data folder" in found.cure
    assert f"aps events key --new --trust PUB (PUB is the public part of key {key.public.id}: " in found.cure


async def test_an_altered_head_is_told(asker: Asker, settings: Settings) -> None:
    head = sign(0, 0, NO_HASH, NOW, signing_key(settings))
    await kept(asker, replace(head, chain="1" * 64))
    found = await signed_heads(asker)
    assert (found.state, "was altered" in found.detail) == (State.FAILED, True)
    assert "aps events verify" in found.cure
    assert "aps restore FILE" in found.cure
    assert "--trust" not in found.cure, "no key makes an altered head a sound one"


async def test_a_log_that_ends_before_its_newest_head_was_cut(asker: Asker, settings: Settings) -> None:
    await kept(asker, sign(7, 0, NO_HASH, NOW, signing_key(settings)))
    found = await signed_heads(asker)
    assert found.state is State.FAILED
    assert "signed up to 7 and ends at 0" in found.detail
    assert "aps restore --journal" in found.cure


async def test_a_head_of_our_own_is_well(asker: Asker, settings: Settings) -> None:
    await kept(asker, sign(0, 0, NO_HASH, NOW, signing_key(settings)))
    assert (await signed_heads(asker)).state is State.OK
