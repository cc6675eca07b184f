"""Runs the architect as a program of its own: `python -m services.architect`."""

from services.architect.agent import Architect
from services.asking.team import Consulting, consultant_of
from services.runtime.role import Role, main
from services.runtime.workbench import Workbench


def build(bench: Workbench, consult: Consulting = consultant_of) -> Architect:
    """Return the agent; `consult` gives its way to the engines."""
    return Architect(bench, consult(bench, "architect"))


ROLE = Role(
    "architect",
    "Draws what a change touches and classes its risk",
    build,
    parallel=4,
)

if __name__ == "__main__":
    main(ROLE)
