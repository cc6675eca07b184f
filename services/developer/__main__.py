"""Runs the developer as a program of its own: `python -m services.developer`."""

from services.asking.team import Consulting, consultant_of
from services.developer.agent import Developer
from services.runtime.role import Role, main
from services.runtime.workbench import Workbench


def build(bench: Workbench, consult: Consulting = consultant_of) -> Developer:
    """Return the agent; `consult` gives its way to the engines."""
    return Developer(bench, consult(bench, "developer"))


ROLE = Role(
    "developer",
    "Writes each change as one commit",
    build,
    parallel=2,
)

if __name__ == "__main__":
    main(ROLE)
