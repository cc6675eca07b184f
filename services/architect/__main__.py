"""Runs the architect as a program of its own: `python -m services.architect`."""

from services.architect.agent import Architect
from services.runtime.role import Role, main

ROLE = Role("architect", "Draws what a change touches and classes its risk", Architect, parallel=4)

if __name__ == "__main__":
    main(ROLE)
