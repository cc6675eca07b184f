"""Runs the architect as a program of its own: `python -m services.architect`."""

from services.architect.agent import Architect
from services.asking.team import consultant_of
from services.runtime.role import Role, main

ROLE = Role(
    "architect",
    "Draws what a change touches and classes its risk",
    lambda bench: Architect(bench, consultant_of(bench, "architect")),
    parallel=4,
)

if __name__ == "__main__":
    main(ROLE)
