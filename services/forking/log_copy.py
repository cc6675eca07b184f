"""Copies the log up to a sequence, and the artefacts it names, into empty streams of another server.

Every event keeps subject, bytes, sequence and the time it was stored, and with them its hash and its links.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from nats.aio.client import Client

from events.jetstream.artefacts import JetStreamArtefacts
from events.jetstream.moments import restored, stored_at
from events.jetstream.restoring import Kept, Restoring
from events.jetstream.stream_reader import Stored, StreamReader
from events.store import Broken
from events.subjects import STREAM

AT_ONCE = 8

Advance = Callable[[int], None]
Seen = Callable[[Stored], None]


async def copy_log(source: Client, sink: Client, until: int, seen: Seen, advance: Advance) -> None:
    """Copy the events up to a sequence, and show `seen` each. Raises `Broken` where one is missing."""
    copied = await Restoring(sink).restore(_events(source, until, seen, advance))
    if copied < until:
        raise Broken(f"nothing follows sequence {copied}, {until} was expected")


async def _events(source: Client, until: int, seen: Seen, advance: Advance) -> AsyncIterator[Kept]:
    reader = StreamReader(source, STREAM)
    known = await restored(reader)
    async for page in reader.pages(0, until):
        for one in page:
            seen(one)
            yield Kept(one.seq, one.subject, one.body, stored_at(one, known))
            advance(one.seq)


async def copy_artefacts(
    source: Client, sink: Client, digests: Iterable[str], advance: Advance
) -> tuple[str, ...]:
    """Copy artefacts; return what is wrong with those that could not be."""
    here, there = JetStreamArtefacts(source), JetStreamArtefacts(sink)
    waiting, missing = sorted(digests), list[str]()
    for first in range(0, len(waiting), AT_ONCE):
        told = await asyncio.gather(*(_copy(here, there, one) for one in waiting[first : first + AT_ONCE]))
        missing += [what for what in told if what]
        advance(min(first + AT_ONCE, len(waiting)))
    return tuple(missing)


async def _copy(here: JetStreamArtefacts, there: JetStreamArtefacts, sha256: str) -> str:
    try:
        await there.put(await here.get(sha256))
    except KeyError:
        return f"the artefact {sha256} is not in the store"
    except Broken as broken:
        return str(broken)
    return ""
