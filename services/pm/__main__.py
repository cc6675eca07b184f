"""Runs PM as a program of its own: `python -m services.pm`."""

from services.asking.team import consultant_of
from services.pm.agent import PM
from services.runtime.role import Role, main

ROLE = Role(
    "pm",
    "Finds improvements, ranks them, writes requirements",
    lambda bench: PM(bench, consultant_of(bench, "pm")),
    parallel=4,
)

if __name__ == "__main__":
    main(ROLE)
