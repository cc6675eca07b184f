"""Work for which no engine answered: it waits where a budget refused the call, else it is given up.

Rules
1. What waits for a budget keeps its status and all that was finished; `blocked` names the budget, and what
   gives it room: another day or month, a higher limit. No engine is asked for it meanwhile.
2. `free` ends the wait with `unblocked` as soon as the budget has room for what it refused last, or its day
   or month is over. Whoever does the next step takes it up by that fact, and asks anew.
"""

from collections.abc import Iterable

import structlog

from events.budget import BUDGET
from events.catalogue import read_fact
from events.fact import Rejected
from events.improvement import IMPROVEMENT
from events.improvement_facts import Abandoned, Blocked, Unblocked
from events.store import Conflict, Recorded
from schemas.engine import FailureKind
from services.asking.accounts import refuses
from services.asking.limits import Limits, opened_anew
from services.asking.words import NotAnswered, OutOfBudget
from services.runtime.log import Change, Log, answering

log = structlog.get_logger()

CURES = {
    FailureKind.BUDGET_EXHAUSTED: "Ask for less, then",
    FailureKind.NOT_CAPABLE: "Set an engine up, then",
    FailureKind.UNAUTHORIZED: "Give a key that is accepted, then",
    FailureKind.UNKNOWN_MODEL: (
        "Name a model that it knows (APS_ENGINES, such as claude_code:opus; OPENAI_COMPATIBLE_MODEL), then"
    ),
}


def halted(doing: str, nobody: NotAnswered, improvement: str) -> Abandoned | Blocked:
    """Return what becomes of an improvement for which no engine answered, and how it goes on."""
    if isinstance(nobody, OutOfBudget):
        return Blocked(reason=f"{doing}: {nobody}", needs=_needs(nobody), budget=nobody.budget)
    cure = CURES.get(nobody.kind, "When the cause is gone")
    return Abandoned(reason=f"{doing}: {nobody}. {cure}: aps improvements retry {improvement}")


def _needs(short: OutOfBudget) -> str:
    kind = short.budget.partition("-")[0].upper()
    higher = f"a higher APS_BUDGET_{kind} or APS_BUDGET_{kind}_RUNS"
    ends = f"the budget that begins at {short.until:%Y-%m-%d %H:%M} UTC, or " if short.until else ""
    return f"{ends}{higher}"


async def free(book: Log, limits: Limits, improvements: Iterable[str], actor: str) -> tuple[str, ...]:
    """End the wait of those whose budget has room by now, and return them."""
    freed = []
    for id, state in (await book.states(IMPROVEMENT, improvements)).items():
        if state.awaited_budget and await _freed(book, limits, id, actor):
            freed.append(id)
    return tuple(freed)


async def _freed(book: Log, limits: Limits, id: str, actor: str) -> bool:
    found = await book.load(IMPROVEMENT, id)
    budget, now = found.state.awaited_budget, book.clock()
    if not budget or refuses(await book.state(BUDGET, budget), opened_anew(limits, budget, now), now):
        return False
    told = Unblocked(reason=f"the budget {budget} refuses no longer what it refused")
    try:
        cause = answering(await _blocking(book, id), actor)
        await book.record_on([(Change(IMPROVEMENT, id, (told,)), found)], cause)
    except (Rejected, Conflict) as faster:
        log.info("somebody else was faster", improvement=id, why=str(faster))
        return False
    return True


async def _blocking(book: Log, id: str) -> Recorded:
    """Return the fact that an improvement waits by."""
    events, _ = await book.store.read(IMPROVEMENT.name, id)
    return next(one for one in reversed(events) if isinstance(read_fact(one.envelope), Blocked))
