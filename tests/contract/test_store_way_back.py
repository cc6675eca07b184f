"""The way back of an aggregate, where an event was published with other headers than a store gives it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from nats.aio.client import Client

from events.appending import prepare
from events.envelope import Cause
from events.evidence.verify import Fault, WayProof, item
from events.improvement_facts import Reprioritised
from events.jetstream.log import JetStreamEventStore
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.store import Batch, Broken, Position
from events.subjects import STREAM

CAUSE = Cause(actor="test", source="/test", correlation=str(UUID(int=7)))
NEIGHBOUR = "aps.v1.improvement.b.reprioritised"
Headers = Sequence[tuple[str, str]]


def now() -> datetime:
    return datetime.now(UTC)


async def put(connection: Client, subject: str, body: bytes, headers: Headers = ()) -> None:
    """Publish with the same header more than once, as no library does."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    reply = connection.new_inbox()
    answer = await connection.subscribe(reply)
    size = len(head)
    await connection._send_command(
        b"HPUB %b %b %d %d\r\n%b%b\r\n"
        % (subject.encode(), reply.encode(), size, size + len(body), head, body)
    )
    await connection.flush()
    assert b'"seq"' in (await answer.next_msg(5)).data
    await answer.unsubscribe()


async def follow(connection: Client, name: str, before: Position, headers: Headers = ()) -> Position:
    """Publish the event that follows on `before`, with no headers but these."""
    batch = Batch("improvement", name, before, (Reprioritised(rank=1, reason="a test"),))
    (made,) = prepare([batch], CAUSE, [now()])
    await put(connection, made.subjects[0], made.bodies[0], headers)
    return made.position(await fresh(connection).head())


def fresh(connection: Client) -> JetStreamEventStore:
    return JetStreamEventStore(connection, now, patience=3.0)


async def versions(connection: Client, name: str) -> list[int]:
    events, _ = await fresh(connection).read("improvement", name)
    return [event.envelope.sequence for event in events]


@pytest.mark.parametrize("second", ["abc", "", "-1", "1.0", "٣", "2", "3", "99999999999999999999"])
async def test_a_header_that_leads_nowhere_counts_as_not_there(admin: Client, second: str) -> None:
    await put(admin, NEIGHBOUR, b"garbage")
    position = await follow(admin, "a", Position(), [(EXPECTED, "0"), (EXPECTED, second)])
    assert await versions(admin, "a") == [1]
    assert await fresh(admin).position("improvement", "a") == position


async def test_a_first_event_without_headers_needs_nothing_of_its_neighbour(admin: Client) -> None:
    await put(admin, NEIGHBOUR, b"garbage")
    await follow(admin, "a", Position())
    assert await versions(admin, "a") == [1]


async def test_a_later_event_without_headers_finds_the_one_before_it_by_its_subject(admin: Client) -> None:
    position = Position()
    for _ in range(3):
        position = await follow(admin, "a", position)
        await put(admin, NEIGHBOUR, b"garbage")
    position = await follow(admin, "a", await follow(admin, "a", position))
    assert await versions(admin, "a") == [1, 2, 3, 4, 5]
    assert await fresh(admin).position("improvement", "a") == position


async def test_a_first_event_cannot_hide_what_stands_before_it(admin: Client) -> None:
    await follow(admin, "a", await follow(admin, "a", Position()))
    await put(admin, NEIGHBOUR, b"garbage")
    await follow(admin, "a", Position())
    with pytest.raises(Broken, match="improvement/a goes from version 2 to 1"):
        await versions(admin, "a")


async def test_a_later_event_with_nothing_before_it_breaks_its_own_aggregate(admin: Client) -> None:
    await put(admin, NEIGHBOUR, b"garbage")
    await follow(admin, "a", Position(1, 1, "0" * 64))
    with pytest.raises(Broken, match="nothing of improvement/a stands before sequence 2"):
        await versions(admin, "a")


async def test_a_way_to_another_aggregate_is_told_of_the_aggregate_it_starts_from(admin: Client) -> None:
    await put(admin, NEIGHBOUR, b"garbage")
    first = await follow(admin, "a", Position())
    await follow(admin, "a", first, [(EXPECTED, "2"), (EXPECTED, "1")])
    with pytest.raises(Broken, match="way back of improvement/a from sequence 3 leads to 1"):
        await versions(admin, "a")


async def faults(connection: Client) -> list[Fault]:
    ways = WayProof()
    return [
        fault
        for one in await StreamReader(connection, STREAM).page(0, 100)
        for fault in ways.see(item(one.seq, one.subject, one.body), one.subject, one.expected)
    ]


async def test_a_way_past_the_event_before_is_a_fault_of_its_own(admin: Client) -> None:
    first = await follow(admin, "a", Position(), [(EXPECTED, "0")])
    second = await follow(admin, "a", first, [(EXPECTED, "1")])
    await put(admin, NEIGHBOUR, b"garbage", [(EXPECTED, "0")])
    third = await follow(admin, "a", second)
    assert await faults(admin) == []
    await follow(admin, "a", third, [(EXPECTED, "4"), (EXPECTED, "1")])
    await follow(admin, "c", Position(), [(EXPECTED, "0"), (EXPECTED, "2")])
    assert await faults(admin) == [
        Fault(5, "improvement/a", "its way back leads to sequence 1; the one before it stands at 4"),
        Fault(6, "improvement/c", "its way back leads to sequence 2; there is none before it"),
    ]
