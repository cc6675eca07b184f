"""Runs the developer as a program of its own: `python -m services.developer`."""

from services.asking.team import consultant_of
from services.developer.agent import Developer
from services.runtime.role import Role, main

ROLE = Role(
    "developer",
    "Writes each change as one commit",
    lambda bench: Developer(bench, consultant_of(bench, "developer")),
    parallel=2,
)

if __name__ == "__main__":
    main(ROLE)
