"""The signed heads on the stream `HEADS`: a second copy, read by whoever has no way to the database."""

import nats.errors
from nats.aio.client import Client

from events.evidence.heads import Head, decode_head
from events.evidence.verify import Fault
from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.jetstream.wire import Message
from events.store import Unavailable
from events.subjects import HEAD_STREAM, head_subject

PAGE = 500
HEADS = "stream HEADS"


async def published(connection: Client, stream: str = HEAD_STREAM) -> tuple[list[Head], list[Fault]]:
    """Return the heads on the stream by sequence, and what on it is none."""
    reader, after = StreamReader(connection, stream), 0
    found: dict[int, Head] = {}
    faults: list[Fault] = []
    while page := await reader.page(after, PAGE):
        for stored in page:
            try:
                head = decode_head(stored.body)
            except ValueError as problem:
                faults.append(Fault(0, f"{HEADS}, message {stored.seq}", str(problem)))
            else:
                found.setdefault(head.seq, head)
        after = page[-1].seq
    return [found[seq] for seq in sorted(found)], faults


async def publish(connection: Client, heads: list[Head]) -> None:
    """Put heads on the stream, each once. Raises `Unavailable` or `Denied`."""
    committer, reader = Committer(connection), StreamReader(connection, HEAD_STREAM)
    for head in heads:
        subject = head_subject(head.seq)
        try:
            await committer.commit([Message(subject, head.encode(), {EXPECTED: "0"})])
        except Uncertain as uncertain:
            if await reader.last(subject) is None:
                raise Unavailable(f"the head at {head.seq} was not taken: {uncertain}") from uncertain
        except nats.errors.Error as problem:
            raise Unavailable(f"the head at {head.seq} was not taken: {problem}") from problem
