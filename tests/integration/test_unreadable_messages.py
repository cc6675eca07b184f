"""What is no event and stands on the log all the same, on real servers: kept, told, and stopping nothing."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import asyncpg
import orjson
import pytest
from nats.aio.client import Client

from events.envelope import Cause
from events.evidence.export import Exported, ExportWriter, Opening, decoded
from events.evidence.head_proof import HeadProof
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.jetstream.restoring import Kept, Restoring
from events.jetstream.stream_reader import Stored, StreamReader
from events.jetstream.streams import declare
from events.store import Batch, Broken
from events.subjects import DEAD_LETTER_STREAM, STREAM
from events.unreadable import is_unreadable
from projections.journal_proof import TableJournal, journaled, prove_journal
from projections.projector import Projector
from projections.queries import Views
from projections.rebuild import rebuild, rebuild_and_compare, replayed
from projections.views.catalogue import VIEWS
from services.cli.history.exporting import write_events
from services.cli.history.proving import prove
from services.cli.history.proving_file import prove_lines
from services.gateway.health import Asker, State, projections_lag
from services.projector.letters import Letters
from tests import projection_facts as f
from tests.exported_log import OURS
from tests.log_server import NATS, LogServer
from tests.projection_facts import CYCLE, tell

if TYPE_CHECKING:
    from projections.connection import Pool

PREFIX = b"aps.v1.improvement."
CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
IMPROVEMENT, HURT = "imp-1", "aps.v1.improvement.imp-1.discovered"


class Raw(NamedTuple):
    """A publication, as its publisher puts it on the wire."""

    subject: bytes
    body: bytes
    headers: bytes = b""

    def frame(self) -> bytes:
        if not self.headers:
            return b"PUB %b %d\r\n%b\r\n" % (self.subject, len(self.body), self.body)
        head = b"NATS/1.0\r\n%b\r\n\r\n" % self.headers
        size = len(head)
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (self.subject, size, size + len(self.body), head, self.body)


OF_PM = (
    Raw(HURT.encode(), b'{"half'),
    Raw(HURT.encode(), b'{"half'),
    Raw(PREFIX + b"fresh.discovered", b""),
    Raw(PREFIX + b"binary.discovered", b"\xff\0\x1b[2J\n\r\n"),
    Raw(PREFIX + b"json.discovered", b'{"a": 1}'),
    Raw(PREFIX + b"deep.discovered", b"[" * 1023 + b"]" * 1023),
    Raw(PREFIX + b"status.discovered", b"x", b"Status: 404"),
    Raw(PREFIX + b"away.discovered", b"", b"Status: 503"),
    Raw(PREFIX + b"ended.discovered", b"", b"Status: 204\r\nNats-Sequence: 1\r\nAps-Stored-At: bad"),
    Raw(PREFIX + b"trail.discovered", b"x", b"Aps-Trail: 1,2\r\nAps-Part: 9"),
    Raw(PREFIX + b"\x1b[31m\0.discovered", b"x"),
    Raw(PREFIX + b"a/b.discovered", b'"hash":"' + b"0" * 64 + b'"}'),
    Raw(PREFIX + "\u2028%2e".encode() + b".discovered", b"x"),
    Raw(PREFIX + b"large.discovered", b"\xfe" * 1_048_576),
)
OF_ADMIN = (
    Raw(b"aps.v1.foo", b"x"),
    Raw(b"aps.v1.a.b.c.d", b"x"),
    Raw(b"aps.v1.target.toolz.nothing", b"null"),
    Raw(b"aps.v1.deployment.dep-1.succeeded", b'{"specversion": "1.0"}'),
)
BEFORE, BETWEEN = CYCLE[:13], CYCLE[13:16]
OTHERS = (("improvement", "imp-2", f.discovered(2)), ("improvement", "imp-2", f.claimed()))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=8) as made:
        yield made


async def publish(server: LogServer, user: str, messages: Sequence[Raw]) -> None:
    """Publish as a program does that knows no library of ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    account = f'{{"user":"{user}","pass":"p-{user}","verbose":false,"headers":true}}'
    writer.write(f"CONNECT {account}\r\n".encode())
    writer.writelines(message.frame() for message in messages)
    writer.write(b"PING\r\n")
    assert await reader.readline() == b"PONG\r\n"
    writer.close()


@pytest.fixture
async def log(server: LogServer, admin: Client) -> JetStreamEventStore:
    """A log with one cycle, what is no event in the middle of it, and another improvement after it."""
    store = JetStreamEventStore(admin, now, patience=3.0)
    await tell(store, BEFORE)
    await publish(server, "pm", OF_PM)
    await tell(store, BETWEEN[:2])
    await publish(server, "admin", OF_ADMIN)
    await tell(store, OTHERS)
    assert await store.head() == len(BEFORE) + len(OF_PM) + 2 + len(OF_ADMIN) + len(OTHERS)
    return store


async def messages(connection: Client) -> list[tuple[int, str, bytes]]:
    """Every message of the log, as the server has it."""
    reader = StreamReader(connection, STREAM)
    return [
        (one.seq, one.subject, one.body)
        async for page in reader.pages(0, await reader.head())
        for one in page
    ]


async def test_it_stands_on_the_log_and_every_reader_goes_on(log: JetStreamEventStore) -> None:
    events = [event async for event in log.read_all()]
    assert [event.seq for event in events] == list(range(1, await log.head() + 1))
    assert sum(is_unreadable(event.envelope) for event in events) == len(OF_PM) + len(OF_ADMIN)
    assert await log.seq_at(now()) == await log.head()
    assert (await log.read("improvement", "imp-2"))[1].version == len(OTHERS)


@pytest.mark.parametrize(
    "id", ["imp-1", "fresh", "binary", "status", "away", "ended", "trail", "large", "json", "deep"]
)
async def test_its_aggregate_is_read_past_it_and_goes_on(log: JetStreamEventStore, id: str) -> None:
    def fresh() -> JetStreamEventStore:
        return JetStreamEventStore(log._connection, now, patience=3.0)

    events, position = await fresh().read("improvement", id)
    sound = [event async for event in log.read_all() if event.envelope.subject == f"improvement/{id}"]
    assert list(events) == [event for event in sound if not is_unreadable(event.envelope)]
    assert position.stream_seq == sound[-1].seq
    assert await fresh().as_of("improvement", id, await log.head()) == (events, position)
    assert await fresh().position("improvement", id) == position
    batch = Batch("improvement", id, position, (Reprioritised(rank=1, reason="a test"),))
    (after,) = await fresh().append_many([batch], CAUSE)
    assert after == await fresh().position("improvement", id)
    assert (after.version, after.stream_seq) == (len(events) + 1, await log.head())
    assert (await fresh().read("improvement", id))[1] == after


async def test_the_projector_writes_a_letter_for_each_and_goes_on(
    server: LogServer, admin: Client, log: JetStreamEventStore, pool: Pool
) -> None:
    async with server.connection("projector") as connection:
        assert (await Projector(log, pool, tell=Letters(connection).tell).catch_up()).seq == await log.head()
    poisoned = await Views(pool).poisoned()
    assert len(poisoned) == len(OF_PM) + len(OF_ADMIN)
    assert (poisoned[0].seq, poisoned[0].aggregate, poisoned[0].id) == (
        len(BEFORE) + 1,
        "improvement",
        "imp-1",
    )
    asker = Asker(None, admin, log, pool)  # type: ignore[arg-type]  # no place is needed to look at views
    state, told, *_ = await projections_lag(asker)
    assert (state, told) == (
        State.OK,
        f"0 events behind the log; messages that are no events, passed over: {len(poisoned)}",
    )
    reader = StreamReader(admin, DEAD_LETTER_STREAM)
    letters = [orjson.loads(one.body) for one in await reader.page(0, 1000)]
    assert [letter["seq"] for letter in letters] == [one.seq for one in poisoned]
    assert {letter["subject"].encode() for letter in letters} == {one.subject for one in (*OF_PM, *OF_ADMIN)}
    rows = {row.id: row for row in await Views(pool).improvements()}
    assert set(rows) == {"imp-1", "imp-2"}
    assert rows["imp-1"].version == (await log.position("improvement", "imp-1")).version


@pytest.mark.parametrize("batch", [1, 7, 500])
async def test_batches_and_a_load_and_two_rebuilds_come_to_the_same(
    log: JetStreamEventStore, pool: Pool, batch: int
) -> None:
    projector = Projector(log, pool, batch=batch)
    for seq in (0, len(BEFORE) + 1, await log.head()):
        await projector.catch_up(seq)
    assert await rebuild_and_compare(log, pool) == []
    at = await rebuild(log, pool)
    assert await rebuild_and_compare(log, pool) == []
    async with replayed(log, pool, VIEWS[:1], at.seq) as there:
        assert (there.at.chain, there.at.hash) == (at.chain, at.hash)


async def test_a_proof_of_log_and_journal_tells_each_and_finds_no_fault(
    admin: Client, log: JetStreamEventStore, pool: Pool
) -> None:
    await Projector(log, pool).catch_up()
    async with pool.acquire() as database:
        beside = TableJournal(database)
        assert await prove_journal(beside, ()) == []
        proof = await prove(StreamReader(admin, STREAM), beside, HeadProof((), ()), lambda _: None)
    assert (proof.sound, proof.faults) == (True, ())
    at = len(BEFORE)
    assert [notice.seq for notice in proof.unreadable][: len(OF_PM)] == list(
        range(at + 1, at + len(OF_PM) + 1)
    )
    assert len(proof.unreadable) == len(OF_PM) + len(OF_ADMIN)


async def test_export_and_journal_bring_it_back_byte_for_byte(
    admin: Client, log: JetStreamEventStore, pool: Pool
) -> None:
    at = await Projector(log, pool).catch_up()
    before = await messages(admin)
    lines = await exported(admin, await log.head())
    proof, reading = prove_lines(lines, [OURS.public])
    assert (proof.faults, len(proof.unreadable)) == ((), len(OF_PM) + len(OF_ADMIN))
    assert reading.closing is not None
    assert reading.closing.chain == at.chain
    kept = [line for line in map(decoded, lines) if isinstance(line, Exported)]
    await _anew(admin)
    assert await Restoring(admin).restore(_each(kept)) == len(before)
    assert await messages(admin) == before
    assert await exported_bodies(admin) == [line.body for line in kept]
    await _anew(admin)
    async with pool.acquire() as database, database.transaction():
        assert await Restoring(admin).restore(journaled(database)) == len(before)
    assert await messages(admin) == before
    assert await rebuild_and_compare(log, pool) == []


async def exported(connection: Client, end: int) -> list[bytes]:
    """The lines of an export."""
    out = io.BytesIO()
    writer = ExportWriter(out, Opening(end, OURS.public.text, now().isoformat()), key=OURS)
    await write_events(StreamReader(connection, STREAM), writer, end, lambda _: None)
    writer.close()
    return out.getvalue().splitlines(keepends=True)


async def exported_bodies(connection: Client) -> list[bytes]:
    lines = await exported(connection, await StreamReader(connection, STREAM).head())
    return [line.body for line in map(decoded, lines) if isinstance(line, Exported)]


async def _each(lines: Sequence[Exported]) -> AsyncIterator[Kept]:
    for line in lines:
        yield Kept(line.seq, line.subject, line.body, line.stored)


async def _anew(admin: Client) -> None:
    """Let the stream be empty."""
    await admin.request(f"$JS.API.STREAM.DELETE.{STREAM}", timeout=10)
    assert await declare(admin, NATS) == []


async def test_an_envelope_of_another_subject_halts_the_projector_as_before(
    admin: Client, log: JetStreamEventStore, pool: Pool
) -> None:
    (event,) = [one async for one in log.read_all(0, 1)]
    await admin.request("aps.v1.target.other.registered", event.envelope.encode(), timeout=5)
    with pytest.raises(Broken, match="holds a"):
        await Projector(log, pool).catch_up()


async def test_a_message_is_read_whatever_its_headers_say(server: LogServer, admin: Client) -> None:
    await publish(
        server, "pm", [Raw(PREFIX + b"x.discovered", b"x", b"Status: %d" % n) for n in (404, 503, 204)]
    )
    reader = StreamReader(admin, STREAM, patience=3.0)
    found = [await reader.at(seq) for seq in (1, 2, 3)]
    assert [one.seq for one in found if isinstance(one, Stored)] == [1, 2, 3]
    assert [one.seq for one in await reader.page(0, 10)] == [1, 2, 3]
    assert {one.seq for one in await reader.these([1, 2, 3, 4])} == {1, 2, 3}
    assert [one.seq for one in await reader.lasts("aps.v1.>")] == [3]
    assert await reader.at(4) is None
