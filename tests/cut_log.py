"""A log that lost its end, or all of it, behind everybody's back."""

from collections.abc import AsyncIterator

from nats.aio.client import Client

from events.jetstream.restoring import Kept, Restoring
from events.jetstream.stream_reader import StreamReader
from events.jetstream.streams import declare
from events.subjects import STREAM
from tests.log_server import NATS


async def delete(admin: Client) -> None:
    """Remove the stream of the log."""
    await admin.request(f"$JS.API.STREAM.DELETE.{STREAM}", timeout=10)


async def cut(admin: Client, keep: int) -> None:
    """Let the log have its first `keep` events alone."""
    kept = [Kept(one.seq, one.subject, one.body) for one in await StreamReader(admin, STREAM).page(0, keep)]
    await delete(admin)
    assert await declare(admin, NATS) == []
    assert await Restoring(admin).restore(_each(kept)) == keep


async def _each(kept: list[Kept]) -> AsyncIterator[Kept]:
    for one in kept:
        yield one
