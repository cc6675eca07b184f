"""Puts measurements into the stream: those of one request once, however often it is sent."""

import nats.errors
from nats.aio.client import Client

from events.jetstream.committer import Committer, Uncertain
from events.jetstream.stream_reader import EXPECTED, StreamReader
from events.jetstream.wire import Message
from events.store import Unavailable
from events.subjects import TELEMETRY_STREAM, measurements
from services.gateway.metering.custom import Kept

PATIENCE_SECONDS = 3.0
MOST_BYTES = 1_000_000  # the server takes 1 MiB, headers with it


class AnotherRequest(Exception):  # noqa: N818 -- what was found
    """The name was used for other measurements."""


class TooLarge(Exception):  # noqa: N818 -- what is wrong
    """The measurements do not fit into one message."""


class Sending:
    """Writes to the stream. The connection stays the caller's."""

    def __init__(self, connection: Client) -> None:
        """Share one among all requests."""
        self._committer = Committer(connection)
        self._reader = StreamReader(connection, TELEMETRY_STREAM, PATIENCE_SECONDS)

    async def put(self, name: str, kept: Kept) -> int:
        """Store measurements under a name of their own; return their place in the stream.

        What is there already by that name is not stored again. Raises `Unavailable`, `AnotherRequest`,
        `TooLarge`.
        """
        subject, body = measurements(name), kept.model_dump_json().encode()
        if len(body) > MOST_BYTES:
            raise TooLarge(f"{len(body)} bytes")
        try:
            return await self._committer.commit([Message(subject, body, {EXPECTED: "0"})])
        except Uncertain as uncertain:
            stored = await self._reader.last(subject)
            if stored is None:
                raise Unavailable(f"the measurements were not taken: {uncertain}") from uncertain
        except nats.errors.Error as problem:
            raise Unavailable(f"the measurements were not taken: {problem}") from problem
        if Kept.model_validate_json(stored.body).measurements != kept.measurements:
            raise AnotherRequest
        return stored.seq
