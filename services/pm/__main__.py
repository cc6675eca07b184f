"""Runs PM as a program of its own: `python -m services.pm`."""

from services.asking.burying import keep_burying
from services.asking.team import Consulting, consultant_of
from services.engines.choosing import ENGINES
from services.pm.agent import PM
from services.runtime.role import Role, main
from services.runtime.workbench import Workbench


def build(bench: Workbench, consult: Consulting = consultant_of) -> PM:
    """Return the agent; `consult` gives its way to the engines."""
    return PM(bench, consult(bench, "pm"))


async def bury_calls(bench: Workbench) -> None:
    """End the calls of engines whose holders died."""
    await keep_burying(bench.book, ENGINES, bench.actor)


ROLE = Role(
    "pm",
    "Finds improvements, ranks them, writes requirements",
    build,
    parallel=4,
    meanwhile=bury_calls,
)

if __name__ == "__main__":
    main(ROLE)
