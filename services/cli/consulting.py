"""How a command has an action done: by an engine that is set up, else by rules; and how it says which."""

from services.actions.action import Action, InT, OutT
from services.actions.performing import RULES, Made, by_rules, perform
from services.asking.team import consultant_of
from services.cli.asking import cause
from services.cli.engine_option import RULES_ALONE
from services.cli.session import say
from services.runtime.claims import Halted
from services.runtime.log import Log, NoSecret
from services.runtime.role import workbench
from services.runtime.settings import Settings
from services.sandbox.port import NoSandbox
from services.workspace.git.version import UnusableGit

ROLE = "cli"


async def performed(
    settings: Settings,
    book: Log,
    action: Action[InT, OutT],
    given: InT,
    engine: str,
    improvement: str = "",
) -> Made[OutT]:
    """Have an action done, as `engine` says; where none can be asked now, by rules."""
    if engine == RULES_ALONE:
        return by_rules(action, given, "no engine was to be asked")
    try:
        consultant = consultant_of(await workbench(ROLE, settings, book), ROLE)
        return await perform(action, given, consultant, cause(), improvement=improvement, only=engine)
    except (Halted, NoSandbox, NoSecret, UnusableGit) as obstacle:
        return by_rules(action, given, f"no engine can be asked now: {obstacle}")


def say_who_made(made: Made[OutT]) -> None:
    """Tell who made a result, and why not an engine."""
    if made.by == RULES:
        say(f"made by rules: {made.why}")
    else:
        say(f"made by {made.by}; see: aps runs show {made.run}")


def as_made(made: Made[OutT]) -> dict[str, object]:
    """Return who made a result, as JSON shows it."""
    return {"made_by": made.by, "why_rules": made.why, "run": made.run}
