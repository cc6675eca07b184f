"""Runs DevOps as a program of its own: `python -m services.devops`."""

from services.devops.agent import DevOps
from services.runtime.role import Role, main

ROLE = Role("devops", "Decides what is deployed and measures what it was worth", DevOps, parallel=2)

if __name__ == "__main__":
    main(ROLE)
