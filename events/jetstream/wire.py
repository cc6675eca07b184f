"""Sends many messages over a connection in one write.

The client library's `publish` checks, encodes and flushes message by message, which costs more than all
else in a large batch. This file alone leans on a private part of it: `Client._send_command`, which
queues bytes of the protocol for the next write (`tests/contract/test_store_wire.py` holds it to that).

Rules
1. Nothing is queued on a connection that does not stand: what is sent is sent now, or refused.
2. A subject or header that would break the framing is refused.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import nats.errors
from nats.aio.client import Client


class Message(NamedTuple):
    """One message to store; `headers` are its own, a batch's are added."""

    subject: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})


def in_batch(message: Message, batch: str, number: int) -> dict[str, str]:
    """Return the headers of the `number`th message of an atomic batch that is not its last."""
    return {**message.headers, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}


def frame(subject: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return one publication as it stands on the wire; ValueError by rule 2."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or " " in subject or "\n" in subject:
        raise ValueError(f"the subject or a header of {subject!r} would break the protocol")
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    size = len(head)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (subject.encode(), size, size + len(body), head, body)


async def send_opening(connection: Client, messages: Sequence[Message], batch: str) -> None:
    """Send all but the last of `messages` as the opening of an atomic batch.

    The next command on the connection flushes them. Raises `nats.errors.Error` when it does not stand.
    """
    opening = messages[:-1]
    if max(len(message.body) for message in opening) > connection.max_payload:
        raise nats.errors.MaxPayloadError
    if not connection.is_connected:
        raise nats.errors.ConnectionReconnectingError
    frames = [
        frame(message.subject, message.body, in_batch(message, batch, number))
        for number, message in enumerate(opening, start=1)
    ]
    await connection._send_command(b"".join(frames))
