"""What the log loses when it is written anew from the journal: found, told, counted and kept in a file."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol

from events.envelope import Unreadable
from events.evidence.export import ExportWriter
from events.jetstream.moments import Restored, stored_at
from events.jetstream.stream_reader import Stored
from projections.halting import cure_of_log
from projections.journal import message_of
from projections.journal_proof import TableJournal
from services.cli.history.exporting import draft, opening, require_key
from services.cli.session import Exit, Stop, say
from services.cycle.words import counted
from services.runtime.ground import now
from services.runtime.settings import Settings

MOST_TOLD = 50
OWNER_ALONE = 0o600


class Paged(Protocol):
    """A stream by pages; see `StreamReader`."""

    def pages(self, after: int, until: int) -> AsyncIterator[list[Stored]]:
        """Yield its messages, what is there of them."""
        ...


async def dropped(reader: Paged, journal: TableJournal, head: int, end: int) -> AsyncGenerator[Stored, None]:
    """Yield what the log has up to `head` and the journal, which ends at `end`, has not at that sequence."""
    async for page in reader.pages(0, head):
        if not page:
            return
        rows = await journal.rows(page[0].seq - 1, min(page[-1].seq, end))
        for stored in page:
            row = rows.get(stored.seq)
            try:
                is_there = row is not None and message_of(row) == (stored.subject, stored.body)
            except Unreadable:
                is_there = False
            if not is_there:
                yield stored


def require_given_up(lose: int, head: int, end: int) -> None:
    """End the command with 5 unless `lose` is how many events come after the journal's end."""
    lost = max(0, head - end)
    if lose == lost:
        return
    said = f"the log goes up to {head}, the journal only up to {end}: {counted(lost, 'event')} would be lost"
    if lost:
        raise Stop(Exit.CONFLICT, f"{said}. Nothing was changed. {cure_of_log(end, head)}")
    raise Stop(Exit.CONFLICT, f"no event comes after the journal's end at {end}: leave out --lose {lose}")


def tell_dropped(found: Sequence[tuple[int, str]], end: int) -> None:
    """Say which messages the log would lose."""
    say(f"the journal, which ends at {end}, does not have of the log:")
    for seq, subject in found[:MOST_TOLD]:
        say(f"  {seq} {subject}")
    if len(found) > MOST_TOLD:
        say(f"  and {len(found) - MOST_TOLD} more")


async def keep_dropped(
    settings: Settings, found: AsyncGenerator[Stored, None], head: int, known: Restored
) -> str:
    """Write them into an export in the data folder, byte for byte; return its name."""
    file = str(settings.home / f"dropped-{now():%Y%m%dT%H%M%S}.jsonl")
    key = require_key(settings, [])
    with draft(file, packed=False, mode=OWNER_ALONE) as out:
        writer = ExportWriter(out, opening(settings, head, key), key=key)
        async with aclosing(found) as messages:
            async for stored in messages:
                writer.event(stored.seq, stored.subject, stored_at(stored, known), stored.body)
        writer.close()
    say(f"kept in {file}")
    return file
