"""Puts the log back from the journal: a tail that was cut off, or all of it in place of a damaged stream.

Rules
1. The journal is proven first, by its own chain and by the signed heads: what was altered there is never
   written into the log.
2. The stream is replaced only where a person said so. What the journal does not have of it is told and kept
   first; events after the journal's end go only where a person said how many.
3. Nothing is replaced under a service that runs: it would append to what is about to go.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson
import typer
from nats.aio.client import Client

from events.evidence.head_proof import by_others, prove_heads
from events.jetstream.head_stream import published
from events.jetstream.moments import restored
from events.jetstream.restoring import NotEmpty, Restoring
from events.jetstream.stream_reader import API, StreamReader
from events.store import Unavailable
from events.subjects import STREAM
from projections.heads import heads as signed_heads
from projections.journal_proof import TableJournal, journaled, prove_journal
from services.cli.desk import open_pool
from services.cli.history.proving import unchecked
from services.cli.history.telling import told
from services.cli.invocation import invocation
from services.cli.keeping.dropping import dropped, keep_dropped, require_given_up, tell_dropped
from services.cli.keeping.putting_back import ADMIN, Put, begin_anew, finish
from services.cli.session import Exit, Stop, say
from services.cycle.words import counted
from services.runtime.answering import copies
from services.runtime.ground import Ground, set_up, stand
from services.runtime.head_keys import lost, own_key, trusted_keys
from services.runtime.settings import Settings

if TYPE_CHECKING:
    from projections.connection import Connection

JOURNAL = "the journal"
ASKER = "cli"  # who may ask what runs
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Anew:
    """The wish to write the stream anew, and to `lose` so many events after the journal's end."""

    lose: int = 0
    ask: bool = True


async def restore_from_journal(settings: Settings, anew: Anew | None, *, as_json: bool) -> None:
    """Put back what the log lost. Ends the command with 1 when the journal is not sound, 3 without one,
    5 where events would be lost that nobody gave up, or a service runs under which it would be replaced."""
    async with stand(settings, say, lost_log_too=True) as ground:
        if anew is not None:
            await _require_nobody(ground)
        await begin_anew(ground)
        connection = await ground.connect(ADMIN)
        try:
            put = await _put_back(ground, connection, anew)
        finally:
            await connection.close()
        await finish(settings, put, as_json=as_json)


async def _require_nobody(ground: Ground) -> None:
    """End the command with 5 while a service answers: each is named."""
    connection = await ground.connect(ASKER)
    try:
        found = await copies(connection)
    finally:
        await connection.close()
    if found:
        told = "; ".join(f"{name} ({', '.join(instances)})" for name, instances in sorted(found.items()))
        raise Stop(
            Exit.CONFLICT,
            f"these services run on the log that would be removed: {told}. Nothing was changed."
            f" Stop every service first (Ctrl-C, or SIGTERM to `{invocation()} up` and `{invocation()} run`),"
            " then run the same again",
        )


async def _put_back(ground: Ground, connection: Client, anew: Anew | None) -> Put:
    async with (
        open_pool(ground) as pool,
        pool.acquire() as database,
        database.transaction(isolation="repeatable_read", readonly=True),
    ):
        end = await _proven_end(ground.settings, connection, database)
        head = await StreamReader(connection, STREAM).head()
        put = Put(JOURNAL)
        if anew is not None:
            put.dropped, put.kept_in = await _give_up(ground, connection, TableJournal(database), anew)
            await _replace_stream(ground, connection)
        elif head >= end:
            say(f"nothing is missing at the end: the log goes up to {head}, the journal up to {end}")
            say("what is damaged before it comes back with: aps restore --journal --anew")
            return put
        try:
            put.events = await Restoring(connection).restore(journaled(database))
        except NotEmpty as problem:
            raise Stop(Exit.CONFLICT, f"{problem}. To write it anew from the journal: --anew") from problem
    return put


async def _proven_end(settings: Settings, connection: Client, database: "Connection") -> int:
    journal = TableJournal(database)
    end = await journal.end()
    if not end:
        raise Stop(Exit.NOT_FOUND, "there is no journal: no views were built yet")
    on_stream, _ = await published(connection)
    in_database, trusted = await signed_heads(database), trusted_keys(settings)
    heads = prove_heads(in_database, on_stream, trusted)
    absent = None if own_key(settings) else partial(lost, settings)
    unproven = unchecked(by_others([*in_database, *on_stream], trusted), absent)
    faults = [*unproven, *heads.faults, *await prove_journal(journal, heads.sound)]
    if faults:
        for fault in faults:
            say(told(fault))
        raise Stop(
            Exit.FAILED, f"the journal is not sound ({counted(len(faults), 'fault')}): nothing was restored"
        )
    return end


async def _give_up(ground: Ground, connection: Client, journal: TableJournal, anew: Anew) -> tuple[int, str]:
    """Tell and keep what of the log is not in the journal; return how many messages, and the file."""
    reader, end = StreamReader(connection, STREAM), await journal.end()
    head = await reader.head()
    found = [(stored.seq, stored.subject) async for stored in dropped(reader, journal, head, end)]
    if found:
        tell_dropped(found, end)
    require_given_up(anew.lose, head, end)
    if anew.ask and not typer.confirm("remove the stream of the log and write it anew?", err=True):
        raise Stop(Exit.FAILED, "nothing was changed")
    await _require_nobody(ground)  # a person may have taken long to answer
    file, known = "", await restored(reader)
    if found:
        file = await keep_dropped(ground.settings, dropped(reader, journal, head, end), head, known)
    if await reader.head() != head:
        raise Stop(
            Exit.CONFLICT,
            f"the log went on after {head} meanwhile: stop every service first. Nothing was changed",
        )
    return len(found), file


async def _replace_stream(ground: Ground, connection: Client) -> None:
    answer = await connection.request(f"{API}.STREAM.DELETE.{STREAM}", b"", timeout=ANSWER_SECONDS)
    if error := orjson.loads(answer.data).get("error"):
        raise Unavailable(f"the stream {STREAM} was not removed: {error['description']}")
    await asyncio.shield(set_up(ground, anew=True))
