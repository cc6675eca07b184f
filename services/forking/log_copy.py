"""Copies the log up to a sequence, and the artefacts it names, into empty streams of another server.

Rules
1. Every message keeps its subject, its bytes and its sequence, and so its hash and its links.
2. Messages go together as one atomic batch as long as none was decided on another of the same batch: the
   server checks each against what is stored.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from nats.aio.client import Client

from events.artefacts import JetStreamArtefacts
from events.committer import Committer, Uncertain
from events.store import Broken, Unavailable
from events.stream_reader import EXPECTED, Stored, StreamReader
from events.subjects import STREAM
from events.trail import PART, TRAIL
from events.wire import Message

BATCH_EVENTS = 500
BATCH_BYTES = 1024 * 1024
AT_ONCE = 8
OURS = (EXPECTED, f"{EXPECTED}-Subject", TRAIL, PART)

Advance = Callable[[int], None]


def together(messages: Iterable[Stored]) -> Iterator[list[Stored]]:
    """Yield messages, in order, as the batches they can be stored in."""
    batch: list[Stored] = []
    named: set[str] = set()
    size = 0
    for one in messages:
        aggregate = one.subject.rpartition(".")[0]
        decided_here = one.expected is not None and aggregate in named
        if batch and (decided_here or len(batch) == BATCH_EVENTS or size + len(one.body) > BATCH_BYTES):
            yield batch
            batch, named, size = [], set(), 0
        batch.append(one)
        named.add(aggregate)
        size += len(one.body)
    if batch:
        yield batch


async def copy_log(
    source: Client, sink: Client, until: int, seen: Callable[[Stored], None], advance: Advance
) -> None:
    """Copy the events up to a sequence, and show `seen` each. Raises `Broken` where one is missing."""
    reader, committer = StreamReader(source, STREAM), Committer(sink)
    after = 0
    async for page in reader.pages(0, until):
        for batch in together(page):
            try:
                last = await committer.commit([_copied(one) for one in batch])
            except Uncertain as problem:
                raise Unavailable(f"the copy took no event after {after}: {problem}") from problem
            if last != batch[-1].seq:
                raise Broken(
                    f"event {batch[-1].seq} would be {last} in a copy: an event before it is missing"
                )
            after = last
            for one in batch:
                seen(one)
            advance(after)
    if after < until:
        raise Broken(f"nothing follows sequence {after}, {until} was expected")


def _copied(stored: Stored) -> Message:
    headers = {name: stored.headers[name] for name in OURS if name in stored.headers}
    return Message(stored.subject, stored.body, headers)


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
