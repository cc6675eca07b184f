"""What an operator can do where the log stopped the projector: the commands, with the number they want.

Rules
1. The journal is what can be gone on from: it holds what was projected, and nothing after the break.
2. No command here loses an event unsaid: it is counted, and the number has to be given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.store import EventStore, Misplaced
from events.unreadable import is_unreadable
from projections import journal
from projections.database import SCHEMA, Checkpoint
from projections.fold import Standing, Unlinked, key_of, require_link

if TYPE_CHECKING:
    from projections.connection import Connection

CURE = (
    "The journal still has what is gone: restore the log from it (aps restore --journal), or begin anew"
    " (aps reset)"
)


def cure_of_log(journal: int, head: int) -> str:
    """Say how to go on from a journal that ends at `journal`, where the log up to `head` is not its own."""
    if head < journal:
        return CURE
    if not journal:
        return "Nothing came before it: begin anew (aps reset)"
    lose = f" --lose {head - journal}" if head > journal else ""
    after = f": the log without what comes after {journal}" if head > journal else ""
    return (
        f"To go on from the journal{after}, stop every service, then: aps restore --journal --anew{lose}"
        " (it lists what the log loses, and keeps it in a file of APS_HOME)"
    )


async def unlinked_after(
    connection: Connection, store: EventStore, at: Checkpoint, schema: str = SCHEMA
) -> str:
    """Return what is wrong with the event after a checkpoint, which nothing is projected over; else ""."""
    try:
        async for recorded in store.read_all(after=at.seq, until=at.seq + 1):
            if is_unreadable(recorded.envelope):
                break
            key = key_of(recorded)
            standings = await journal.standings(connection, schema, [key])
            require_link(recorded, standings.get(key, Standing()))
    except (Unlinked, Misplaced) as problem:
        return str(problem)
    return ""
