"""Heads are signed as views are built, and whatever is altered on real servers is reported with its place."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from nats.aio.client import Client

from events.evidence.heads import SigningKey
from events.evidence.verify import Fault
from events.jetstream.head_stream import published
from events.jetstream.log import JetStreamEventStore
from events.jetstream.stream_reader import StreamReader
from events.jetstream.streams import declare
from events.store import Recorded
from events.subjects import STREAM
from projections.heads import NotSigned, Pace, heads, sign_head
from projections.projector import Projector
from projections.rebuild import rebuild
from services.cli.history.proving import prove_standing
from services.projector.signing import Signer, signer
from services.runtime.head_keys import key_file, own_key, signing_key, trust
from services.runtime.settings import load
from tests.exported_log import OURS, THEIRS, stored
from tests.log_server import NATS, LogServer, started
from tests.projection_facts import CYCLE, START, Clock, tell

if TYPE_CHECKING:
    from projections.connection import Pool

END = len(CYCLE)


@pytest.fixture
async def admin(running: LogServer) -> AsyncIterator[Client]:
    await running.wipe()
    async with running.connection("admin") as connection:
        yield connection


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as made:
        yield made


@pytest.fixture
def store(admin: Client) -> JetStreamEventStore:
    return JetStreamEventStore(admin, Clock())


async def signed(store: JetStreamEventStore, pool: Pool, connection: Client, every: int = 8) -> Signer:
    """A log told in parts, its views, and a head after each part."""
    signer = Signer(pool, connection, OURS)
    for begin in range(0, END, every):
        await tell(store, CYCLE[begin : begin + every])
        await Projector(store, pool).catch_up()
        await signer.sign()
    return signer


async def faults(connection: Client, pool: Pool) -> list[Fault]:
    return [*(await prove_standing(connection, pool, [OURS.public])).faults]


async def everything(store: JetStreamEventStore) -> list[Recorded]:
    return [event async for event in store.read_all()]


async def republished(admin: Client, events: Sequence[Recorded]) -> None:
    """Put other events into a fresh stream, as one who has the log's server could."""
    await admin.request(f"$JS.API.STREAM.DELETE.{STREAM}", timeout=10)
    assert await declare(admin, NATS) == []
    for event in events:
        message = stored(event)
        await admin.jetstream().publish(message.subject, message.body)


async def test_heads_stand_in_the_database_and_on_the_stream(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    await signed(store, pool, admin)
    async with pool.acquire() as connection:
        kept = await heads(connection)
    assert [head.seq for head in kept] == [8, 16, 24, END][: len(kept)]
    assert (await published(admin)) == (kept, [])
    assert kept[-1].seq == END
    assert await faults(admin, pool) == []


async def test_nothing_is_signed_twice(store: JetStreamEventStore, pool: Pool, admin: Client) -> None:
    signer = await signed(store, pool, admin)
    assert await signer.sign() is None


async def test_a_head_is_due_after_so_many_events_or_so_long(store: JetStreamEventStore, pool: Pool) -> None:
    pace = Pace(events=5, seconds=60)
    await tell(store, CYCLE[:2])
    await Projector(store, pool).catch_up()
    first = await sign_head(pool, OURS, START, pace)
    assert first is not None, "the first is due at once"
    await tell(store, CYCLE[2:4])
    await Projector(store, pool).catch_up()
    assert await sign_head(pool, OURS, START + timedelta(seconds=59), pace) is None
    later = await sign_head(pool, OURS, START + timedelta(seconds=60), pace)
    assert later is not None
    assert (later.seq, later.previous) == (4, 2)
    await tell(store, CYCLE[4:9])
    await Projector(store, pool).catch_up()
    assert await sign_head(pool, OURS, START + timedelta(seconds=61), pace) is not None


async def test_many_who_sign_at_once_sign_one_head(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    found = await asyncio.gather(*(Signer(pool, admin, OURS).sign() for _ in range(4)))
    assert len([head for head in found if head]) == 1
    assert await faults(admin, pool) == []


async def test_heads_outlive_a_rebuild_and_a_switch(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    signer = await signed(store, pool, admin)
    await rebuild(store, pool)
    await rebuild(store, pool)
    assert await faults(admin, pool) == []
    await tell(store, [("improvement", "later", CYCLE[6][2])])
    await Projector(store, pool).catch_up()
    head = await signer.sign()
    assert head is not None
    assert (head.seq, head.previous) == (END + 1, END)


async def test_a_new_database_takes_the_heads_of_the_stream(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    await signed(store, pool, admin)
    await pool.execute("drop schema aps cascade; drop schema aps_evidence cascade")
    await Projector(store, pool).catch_up()
    assert await Signer(pool, admin, OURS).sign() is None
    assert await faults(admin, pool) == []


async def test_heads_that_were_signed_while_the_stream_was_away_are_copied_later(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    await tell(store, CYCLE[:9])
    await Projector(store, pool).catch_up()
    alone = await sign_head(pool, OURS, START)
    assert (await published(admin))[0] == []
    await Signer(pool, admin, OURS).sign()
    assert (await published(admin))[0] == [alone]


async def test_with_another_key_nothing_is_signed_until_the_former_is_trusted(
    store: JetStreamEventStore, pool: Pool, admin: Client
) -> None:
    await signed(store, pool, admin, END - 1)
    await tell(store, [("improvement", "later", CYCLE[6][2])])
    await Projector(store, pool).catch_up()
    with pytest.raises(NotSigned, match=f"signed with key {OURS.public.id}, which is not trusted"):
        await Signer(pool, admin, THEIRS).sign()
    head = await Signer(pool, admin, THEIRS, [OURS.public]).sign()
    assert head is not None
    assert head.key == THEIRS.public.id
    wrong_key = (await prove_standing(admin, pool, [SigningKey(bytes([9]) * 32).public])).faults
    assert {fault.seq for fault in wrong_key} >= {END - 1, END + 1}, "the first of each key"
    both = await prove_standing(admin, pool, [THEIRS.public, OURS.public])
    assert both.faults == ()


async def test_the_first_head_of_all_makes_the_key(
    store: JetStreamEventStore, pool: Pool, admin: Client, tmp_path: Path
) -> None:
    settings = load({"APS_HOME": str(tmp_path)})
    assert await signer(settings, pool, admin).sign() is None
    assert own_key(settings) is None, "there was nothing to sign"
    await tell(store, CYCLE)
    await Projector(store, pool).catch_up()
    head = await signer(settings, pool, admin).sign()
    made = own_key(settings)
    assert (head and head.key) == (made and made.public.id)


async def test_a_lost_key_is_told_and_no_other_is_made_until_a_person_says_so(
    store: JetStreamEventStore, pool: Pool, admin: Client, tmp_path: Path
) -> None:
    await signed(store, pool, admin, END - 1)
    await tell(store, [("improvement", "later", CYCLE[6][2])])
    await Projector(store, pool).catch_up()
    settings = load({"APS_HOME": str(tmp_path)})
    waiting = signer(settings, pool, admin)
    with pytest.raises(NotSigned, match=f"the key {OURS.public.id}, which signed heads up to sequence {END}"):
        await waiting.sign()
    assert own_key(settings) is None
    await pool.execute("drop schema aps_evidence cascade")
    with pytest.raises(NotSigned, match="aps events key --new"):
        await signer(settings, pool, admin).sign()
    trust(settings.home, OURS.public)
    made = signing_key(settings)
    head = await signer(settings, pool, admin).sign()
    assert head is not None
    assert (head.key, head.previous) == (made.public.id, END)


async def test_who_waits_for_a_lost_key_goes_on_when_it_is_back(
    store: JetStreamEventStore, pool: Pool, admin: Client, tmp_path: Path
) -> None:
    settings = load({"APS_HOME": str(tmp_path)})
    key = signing_key(settings)
    kept = key_file(settings.home).rename(tmp_path / "kept")
    await tell(store, CYCLE[:5])
    await Projector(store, pool).catch_up()
    await Signer(pool, admin, key).sign()
    await tell(store, CYCLE[5:])
    await Projector(store, pool).catch_up()
    waiting = signer(settings, pool, admin)
    with pytest.raises(NotSigned):
        await waiting.sign()
    kept.rename(key_file(settings.home))
    head = await waiting.sign()
    assert head is not None
    assert head.key == key.public.id


@pytest.mark.parametrize(
    "statement",
    [
        "update aps.journal set hash = repeat('0', 64) where seq = 12",
        "delete from aps.journal where seq = 12",
        "update aps.checkpoint set chain = repeat('0', 64)",
    ],
)
async def test_a_journal_altered_since_the_last_head_is_not_signed(
    store: JetStreamEventStore, pool: Pool, admin: Client, statement: str
) -> None:
    signer = Signer(pool, admin, OURS)
    await tell(store, CYCLE[:10])
    await Projector(store, pool).catch_up()
    await signer.sign()
    await tell(store, CYCLE[10:])
    await Projector(store, pool).catch_up()
    await pool.execute(statement)
    with pytest.raises(NotSigned, match="head signed at 10"):
        await signer.sign()


@pytest.mark.parametrize("seq", [1, 7, 15, END])
@pytest.mark.parametrize("kind", ["altered", "removed", "exchanged", "aggregate gone", "forged", "tail cut"])
async def test_a_log_published_anew_otherwise_is_told(
    store: JetStreamEventStore, pool: Pool, admin: Client, kind: str, seq: int
) -> None:
    await signed(store, pool, admin)
    log = await everything(store)
    event = log[seq - 1]
    mallory = replace(event, envelope=replace(event.envelope, actor="mallory").sealed())
    other = seq % END
    spoilt = {
        "altered": [*log[: seq - 1], mallory, *log[seq:]],
        "removed": [*log[: seq - 1], *log[seq:]],
        "exchanged": [log[other] if e is event else event if e is log[other] else e for e in log],
        "aggregate gone": [e for e in log if e.envelope.subject != event.envelope.subject],
        "forged": [*log[:seq], mallory, *log[seq:]],
        "tail cut": log[: seq - 1],
    }[kind]
    await republished(admin, spoilt)
    first = next(
        (n for n, (was, now) in enumerate(zip(log, spoilt, strict=False), 1) if was.envelope != now.envelope),
        len(spoilt),
    )
    found = {fault.seq for fault in await faults(admin, pool)}
    assert (min(first, len(spoilt)) if kind != "forged" or seq < END else END + 1) in found
    await pool.execute("drop schema aps cascade")
    assert await faults(admin, pool), "without a journal, by links and signed heads alone"


async def damaged(folder: Path, seq: int, offset: int) -> None:
    """Flip a byte of the record of an event, `offset` bytes before the end of its body."""
    (block,) = (folder / "store").rglob(f"{STREAM}/msgs/1.blk")
    content = bytearray(block.read_bytes())
    end = -1
    for _ in range(seq):
        end = content.index(b'"hash":"', end + 1)
        end = content.index(b'"}', end)
    content[end - offset] ^= 0x20
    block.write_bytes(content)


@pytest.mark.parametrize("seq", [1, 9, 20, END])
@pytest.mark.parametrize("offset", [3, 200, -6])
async def test_a_damaged_block_file_is_told_with_its_place(
    tmp_path: Path, pool: Pool, seq: int, offset: int
) -> None:
    server = started(tmp_path)
    try:
        await server.wipe()
        async with server.connection("admin") as admin:
            await signed(JetStreamEventStore(admin, Clock()), pool, admin)
        server.kill()
        await damaged(server.folder, seq, offset)
        server.start()
        async with server.connection("admin") as admin:
            assert await StreamReader(admin, STREAM).head() <= END
            found = {fault.seq for fault in await faults(admin, pool)}
            assert found & {seq - 1, seq, seq + 1}
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


async def test_bytes_flipped_anywhere_in_the_block_file_are_told(tmp_path: Path, pool: Pool) -> None:
    server, chance = started(tmp_path), random.Random(7)  # noqa: S311 -- places to spoil, no secrets
    try:
        await server.wipe()
        async with server.connection("admin") as admin:
            await signed(JetStreamEventStore(admin, Clock()), pool, admin)
        server.kill()
        (block,) = (server.folder / "store").rglob(f"{STREAM}/msgs/1.blk")
        sound = block.read_bytes()
        shutil.copytree(server.folder / "store", server.folder / "sound")
        for at in [chance.randrange(len(sound)) for _ in range(8)]:
            shutil.rmtree(server.folder / "store")
            shutil.copytree(server.folder / "sound", server.folder / "store")
            block.write_bytes(sound[:at] + bytes([sound[at] ^ (1 << chance.randrange(8))]) + sound[at + 1 :])
            server.start()
            async with server.connection("admin") as admin:
                assert await faults(admin, pool), at
            server.kill()
    finally:
        server.kill()
