"""Leaves what is asked in words to whoever has an engine, where this process has none.

Rules
1. The copies of a role share one stream of events, whatever each was set up with: a copy without an engine
   may be given what another one's request led to. It gives that back, to be delivered to any copy.
2. Somebody with an engine is taken to be there until `PATIENCE` passed since anything last happened to the
   improvement: it was asked for, an engine's answer was handed over, or a copy held its work and said so.
3. A fork is worked on by one process alone: there nothing is left to others.
"""

from datetime import timedelta

from events.improvement import IMPROVEMENT
from events.store import Recorded
from services.runtime.claims import Later
from services.runtime.log import Log

PATIENCE = timedelta(minutes=10)
AGAIN_SECONDS = 2.0


async def leave_to_others(book: Log, id: str, event: Recorded) -> None:
    """Return when no engine is to be expected for the improvement that `event` asks to go on; else `Later`.

    To be called before its work is claimed, for a claim is something that happens to it.
    """
    if book.fork:
        return
    happened, _ = await book.store.read(IMPROVEMENT.name, id)
    last = max(one.envelope.at for one in (event, *happened))
    if book.clock() - last < PATIENCE:
        raise Later(AGAIN_SECONDS, f"no AI engine is set up here: {id} is left to a copy that has one")
