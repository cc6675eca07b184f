"""Artefacts on the JetStream stream `ARTEFACTS`: content by its sha256, in chunks.

Rules
1. Chunks are stored in order, each once; the subject of each says how many there are, so the last
   one's presence means that all are there.
2. A put that finds its last chunk stores nothing; one that was interrupted goes on.
3. What is read back is checked against its name.
"""

import asyncio
import hashlib

from nats.aio.client import Client

from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.jetstream.wire import Message
from events.store import Broken, Unavailable
from events.subjects import ARTEFACT_STREAM, artefact_chunk

CHUNK_BYTES = 512 * 1024
PAUSE_SECONDS = 0.1


class JetStreamArtefacts:
    """Keeps artefacts on the server; never closes the connection."""

    def __init__(self, connection: Client, *, patience: float = 10.0, stream: str = ARTEFACT_STREAM) -> None:
        """`patience` bounds in seconds how long one chunk is tried against an unwilling server."""
        self._reader = StreamReader(connection, stream, patience)
        self._committer = Committer(connection)
        self._patience = patience

    async def put(self, content: bytes) -> str:
        """Store `content` once and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        chunks = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)] or [b""]
        subjects = [artefact_chunk(sha256, str(len(chunks)), index) for index in range(len(chunks))]
        if await self._reader.last(subjects[-1]) is None:
            for subject, chunk in zip(subjects, chunks, strict=True):
                await self._put_chunk(Message(subject, chunk, {EXPECTED: "0"}))
        return sha256

    async def get(self, sha256: str) -> bytes:
        """Return the content; KeyError when it is not there, `Broken` when it does not fit its name."""
        first = await self._reader.last(artefact_chunk(sha256, "*", 0))
        if first is None:
            raise KeyError(sha256)
        count = first.subject.split(".")[-2]
        content = bytearray(first.body)
        for index in range(1, int(count)):
            chunk = await self._reader.last(artefact_chunk(sha256, count, index))
            if chunk is None:
                raise KeyError(sha256)
            content += chunk.body
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Broken(f"the artefact {sha256} does not fit its name")
        return bytes(content)

    async def _put_chunk(self, message: Message) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            try:
                await self._committer.commit([message])
            except Uncertain as uncertain:
                stored = await self._reader.last(message.subject)
                if stored is not None and stored.body == message.body:
                    return
                if stored is not None:
                    raise Broken(f"{message.subject} holds something else") from uncertain
                if clock() >= deadline:
                    raise Unavailable(f"an artefact was not taken: {uncertain}") from uncertain
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
