"""Refuses at once what only an AI engine can do where none can be asked, before anything is recorded.

Rules
1. What was asked for in words needs an engine as long as a role has yet to ask one; what a rule found, never.
2. Where a copy of each such role runs elsewhere, the work is left to it, and a person is told so.
"""

from collections.abc import Collection, Mapping

from events.improvement import IMPROVEMENT
from events.target import TARGET
from schemas.improvement import Status
from services.asking.readiness import unready
from services.cli.desk import LogDesk
from services.cli.ending import Exit, Stop
from services.cli.session import say
from services.engines.choosing import AUTO
from services.runtime.answering import copies
from services.runtime.log import Log
from services.runtime.settings import Settings

REQUEST = "request"
ASKING = {
    Status.INITIALIZED: "pm",
    Status.REQUIREMENTS_COMPLETE: "architect",
    Status.ARCHITECTURE_COMPLETE: "developer",
}


def asking_from(status: Status | None) -> tuple[str, ...]:
    """Return the roles that have yet to ask an engine about a request of that status, the next one first."""
    order = tuple(ASKING)
    return tuple(ASKING.values())[order.index(status) :] if status in order else ()


async def require_engine(settings: Settings, desk: LogDesk, work: Mapping[str, Collection[str]]) -> bool:
    """Return whether work is left to copies elsewhere; ends the command with 6 where nobody can do it.

    `work` are the roles that have yet to ask, by improvement.
    """
    asked = {id: only for id, roles in work.items() if roles and (only := await _engine_for(desk.book, id))}
    problems = {only: await unready(settings, only) for only in sorted({*asked.values()})}
    stuck = {id: problem for id, only in asked.items() if (problem := problems[only])}
    if not stuck:
        return False
    roles = sorted({role for id in stuck for role in work[id]})
    running = await copies(desk.connection)
    if missing := [role for role in roles if role not in running]:
        id, problem = next(iter(stuck.items()))
        nobody = f"no copy of {', '.join(missing)} runs elsewhere"
        raise Stop(
            Exit.UNAVAILABLE, f"{problem}\n{id} was asked for in words, and {nobody}: nothing was done"
        )
    say(f"no AI engine can be asked here: {', '.join(stuck)} waits for {', '.join(roles)} running elsewhere")
    return True


async def _engine_for(book: Log, id: str) -> str:
    """Return which engine is to be asked about a request; empty for what a rule found."""
    found = (await book.state(IMPROVEMENT, id)).discovered
    if found is None or found.source != REQUEST:
        return ""
    return (await book.state(TARGET, found.target)).scans[found.scan].requested.engine or AUTO
