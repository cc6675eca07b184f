"""When events were stored is the server's word, and a restore's; whoever publishes has no say in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from nats.aio.client import Client

from events.envelope import Cause
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.jetstream.moments import SERVER_TIME, STORED_AT, Restored, moment, restored, stored_at
from events.jetstream.restoring import Kept, Restoring
from events.jetstream.stream_reader import Stored, StreamReader
from events.jetstream.streams import compare, declare
from events.store import Batch, Position
from events.subjects import STREAM
from tests.log_server import NATS, LogServer

CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CUT = timedelta(microseconds=1)  # of the nanoseconds that the server tells, none are kept


def store_on(connection: Client) -> JetStreamEventStore:
    return JetStreamEventStore(connection, lambda: datetime.now(UTC))


async def append(connection: Client, *names: str) -> None:
    for name in names:
        batch = Batch("improvement", name, Position(), (Reprioritised(rank=1, reason="a test"),))
        await store_on(connection).append_many([batch], CAUSE)


async def forge(connection: Client, name: str, time: datetime) -> None:
    """Publish a message that says it was stored at `time`."""
    subject = f"aps.v1.improvement.{name}.reprioritised"
    await connection.request(subject, b"x", headers={STORED_AT: time.isoformat()}, timeout=5)


async def log_of(connection: Client) -> list[Stored]:
    return await StreamReader(connection, STREAM).page(0, 100)


async def times(connection: Client) -> list[datetime]:
    known = await restored(StreamReader(connection, STREAM))
    return [moment(stored_at(one, known)) for one in await log_of(connection)]


async def restore(connection: Client, log: list[Stored]) -> None:
    """Put a log back; its events were stored a day apart, long ago."""

    async def kept() -> AsyncIterator[Kept]:
        for n, one in enumerate(log):
            yield Kept(one.seq, one.subject, one.body, (LONG_AGO + n * DAY).isoformat())

    await Restoring(connection).restore(kept())


async def test_in_an_ordinary_log_a_header_moves_nothing(admin: Client) -> None:
    await append(admin, "a")
    for time in (LONG_AGO, datetime.now(UTC) + 1000 * DAY):
        await forge(admin, "x", time)
    await append(admin, "b")
    served = [moment(one.headers[SERVER_TIME]) for one in await log_of(admin)]
    assert await times(admin) == served
    assert [await store_on(admin).seq_at(time + CUT) for time in (LONG_AGO, *served)] == [0, 1, 2, 3, 4]
    assert await store_on(admin).seq_at(datetime.now(UTC)) == 4


async def test_a_restored_log_has_the_times_it_had_and_what_follows_the_servers(
    server: LogServer, admin: Client
) -> None:
    await append(admin, "a", "b", "c")
    log = await log_of(admin)
    await server.wipe()
    await restore(admin, log[:2])
    await restore(admin, log)
    await forge(admin, "x", LONG_AGO)
    await append(admin, "d")
    assert (await restored(StreamReader(admin, STREAM))).text == "1-3"
    found = await times(admin)
    assert found[:3] == [LONG_AGO, LONG_AGO + DAY, LONG_AGO + 2 * DAY]
    assert [await store_on(admin).seq_at(time + CUT) for time in found] == [1, 2, 3, 4, 5]
    assert await store_on(admin).seq_at(LONG_AGO - DAY) == 0


async def test_a_tail_that_is_put_back_vouches_for_nothing_before_it(
    server: LogServer, admin: Client
) -> None:
    await append(admin, "a", "b", "c")
    await forge(admin, "d", LONG_AGO)
    log = await log_of(admin)
    await server.wipe()
    await append(admin, "other")
    begun = await log_of(admin)
    await forge(admin, "y", LONG_AGO)
    forged = await log_of(admin)
    await restore(admin, [*forged, *log[2:]])
    assert (await restored(StreamReader(admin, STREAM))).text == "3-4"
    found = await times(admin)
    assert found[0] == moment(begun[0].headers[SERVER_TIME])
    assert found == sorted(found)
    assert found[1] == moment(forged[1].headers[SERVER_TIME])


async def test_the_declaration_of_a_stream_neither_misses_nor_removes_what_a_restore_noted(
    server: LogServer, admin: Client
) -> None:
    await append(admin, "a")
    log = await log_of(admin)
    await server.wipe()
    await restore(admin, log)
    assert await compare(admin, NATS) == []
    config = (await admin.jetstream().stream_info(STREAM)).config
    config.description = "another"
    await admin.jetstream().update_stream(config)
    assert await declare(admin, NATS, update=True) == []
    assert await times(admin) == [LONG_AGO]


def test_a_restored_time_is_never_after_the_servers_own() -> None:
    headers = {STORED_AT: "2026-01-02T00:00:00+00:00", SERVER_TIME: "2026-01-01T00:00:00Z"}
    assert stored_at(Stored(1, "", b"", headers), Restored(((1, 1),))) == headers[SERVER_TIME]


def test_what_was_named_before_it_was_written_counts_only_as_far_as_it_was() -> None:
    known = Restored.read("1-40,57-560")
    assert known.and_then(60, 70).text == "1-40,57-70"
    assert known.and_then(600, 610).text == "1-40,57-560,601-610"
    assert known.and_then(0, 5).text == "1-5"
    assert (40 in known, 41 in known, Restored.read("none").text) == (True, False, "")
