"""Many messages in one write arrive as the client library's own publish would have sent them."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from events.jetstream.wire import Message, frame, in_batch, send_opening
from tests.log_server import LogServer, started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogServer]:
    log_server = started(tmp_path_factory.mktemp("log"))
    yield log_server
    log_server.kill()


@pytest.fixture
async def connection(server: LogServer) -> AsyncIterator[Client]:
    async with server.connection("admin") as client:
        yield client


def heard(message: Msg) -> tuple[str, bytes, dict[str, str]]:
    return message.subject, message.data, dict(message.headers or {})


MESSAGES = [
    Message("test.one", b"first", {"Nats-Msg-Id": "1"}),
    Message("test.two", "größer\r\nPUB x 0\r\n".encode(), {"Nats-Msg-Id": "2", "Aps-Trail": "1,2,3"}),
    Message("test.three", b"", {}),
    Message("test.four", b"x" * 100_000, {"A-Long-One": "y" * 1000}),
    Message("test.last", b"not sent by the opening", {}),
]


async def test_the_opening_of_a_batch_arrives_as_if_published_one_by_one(connection: Client) -> None:
    listening = await connection.subscribe("test.*")
    await send_opening(connection, MESSAGES, "b1")
    await connection.flush()
    at_once = [heard(await listening.next_msg(5)) for _ in MESSAGES[:-1]]
    for number, message in enumerate(MESSAGES[:-1], start=1):
        await connection.publish(message.subject, message.body, headers=in_batch(message, "b1", number))
    await connection.flush()
    one_by_one = [heard(await listening.next_msg(5)) for _ in MESSAGES[:-1]]
    assert at_once == one_by_one
    assert [subject for subject, _, _ in at_once] == [message.subject for message in MESSAGES[:-1]]
    assert listening.pending_msgs == 0


async def test_the_next_publish_comes_after_what_was_written(connection: Client) -> None:
    listening = await connection.subscribe("test.*")
    await connection.publish("test.before")
    await send_opening(connection, MESSAGES, "b1")
    await connection.publish("test.after")
    subjects = [(await listening.next_msg(5)).subject for _ in range(6)]
    assert subjects == ["test.before", "test.one", "test.two", "test.three", "test.four", "test.after"]


async def test_a_message_the_server_would_hang_up_for_is_refused(connection: Client) -> None:
    large = Message("test.large", b"x" * (connection.max_payload + 1))
    with pytest.raises(nats.errors.MaxPayloadError):
        await send_opening(connection, [large, *MESSAGES], "b1")
    await connection.flush()
    assert connection.is_connected


async def test_nothing_is_queued_for_a_connection_that_is_down(connection: Client) -> None:
    await connection.close()
    with pytest.raises(nats.errors.Error):
        await send_opening(connection, MESSAGES, "b1")


@pytest.mark.parametrize(
    ("subject", "headers"),
    [("two words", {}), ("a\r\nb", {}), ("a", {"X": "1\r\nY: 2"}), ("a", {"X\n": "1"})],
)
def test_what_would_break_the_protocol_is_refused(subject: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="break the protocol"):
        frame(subject, b"", headers)


async def test_many_writers_on_one_connection_do_not_mix(connection: Client) -> None:
    listening = await connection.subscribe("test.*")
    batches = [[Message("test.x", b"%d-%d" % (b, n)) for n in range(50)] for b in range(20)]
    await asyncio.gather(
        *(send_opening(connection, [*batch, batch[0]], str(n)) for n, batch in enumerate(batches))
    )
    await connection.flush()
    bodies = [(await listening.next_msg(5)).data for _ in range(1000)]
    for number in range(20):
        own = [body for body in bodies if body.startswith(b"%d-" % number)]
        assert own == [message.body for message in batches[number]]
