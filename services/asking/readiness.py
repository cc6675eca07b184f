"""Whether an engine can be asked at all, before anything is recorded."""

from services.asking.consulting import NOT_CAPABLE
from services.asking.team import engines_of
from services.engines.choosing import AUTO, policy_of, wanted_for
from services.runtime.role import sandbox_of
from services.runtime.settings import Settings

WRITER, TASK = "developer", "change"


async def unready(settings: Settings, only: str) -> str:
    """Say why no engine could write a change now, with the cure; empty where one could."""
    engines = engines_of(settings, await sandbox_of(settings))
    wanted = wanted_for(policy_of(settings.engines), WRITER, TASK, only)
    mine = [engines[one.engine] for one in wanted if one.engine in engines]
    if not mine:
        return NOT_CAPABLE if only == AUTO else f"{only} is not set up: {NOT_CAPABLE}"
    problems = []
    for engine in mine:
        found = await engine.check()
        if found.ready:
            return ""
        problems.append(f"{engine.name}: {found.problem}; {found.cure}")
    return "\n".join(problems)
