"""The runs of copies that died at their work: who takes the work over ends them."""

from events.catalogue import read_fact
from events.improvement import IMPROVEMENT
from events.lease import WorkClaimed
from events.run import RUN, Failed
from schemas.engine import FailureKind
from services.runtime.log import Change, Log

UNHEARD = "who made it was not heard of again"


def run_id(improvement: str, token: int) -> str:
    """Return the id of the run that the holder of a claim makes."""
    return f"{improvement}-r{token}"


async def abandoned_runs(book: Log, improvement: str, token: int) -> list[Change]:
    """Return what ends the runs of earlier claims on an improvement; `token` is the present one's."""
    events, _ = await book.store.read(IMPROVEMENT.name, improvement)
    claims = [e.envelope.sequence for e in events if isinstance(read_fact(e.envelope), WorkClaimed)]
    runs = await book.states(RUN, [run_id(improvement, claim) for claim in claims if claim != token])
    end = Failed(duration_ms=0, reason=UNHEARD, kind=FailureKind.KILLED)
    return [Change(RUN, run, (end,)) for run, state in runs.items() if state.started and not state.ended]
