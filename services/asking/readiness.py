"""Whether an engine can be asked at all, before anything is recorded."""

from services.asking.consulting import NOT_CAPABLE
from services.asking.setting_up import lacking, nobody
from services.asking.team import engines_of
from services.engines.choosing import AUTO, ENGINES, policy_of, wanted_for
from services.runtime.role import sandbox_of
from services.runtime.settings import Settings

WRITER, TASK = "developer", "change"
NONE = "no AI engine is set up, and the deterministic engine cannot do what is asked in words"


async def unready(settings: Settings, only: str) -> str:
    """Say why no engine could write a change now, with the cure; empty where one could."""
    if only not in (AUTO, *ENGINES):
        return NOT_CAPABLE
    wanted = wanted_for(policy_of(settings.engines), WRITER, TASK, only)
    mine = [one.engine for one in wanted if not lacking(settings, one)]
    if not mine:
        if only == AUTO:
            return f"{NONE}:\n{nobody(settings, wanted, WRITER)}"
        return f"{only} is not set up: set {', '.join(lacking(settings, one) for one in wanted)}"
    engines, problems = engines_of(settings, await sandbox_of(settings)), []
    for name in dict.fromkeys(mine):
        found = await engines[name].check()
        if found.ready:
            return ""
        problems.append(f"{name}: {found.problem}; {found.cure}")
    return "\n".join(problems)
