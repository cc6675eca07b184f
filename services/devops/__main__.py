"""Runs DevOps as a program of its own: `python -m services.devops`."""

from services.devops.agent import DevOps
from services.devops.escalating import keep_looking
from services.runtime.role import Role, main

ROLE = Role(
    "devops",
    "Decides what is deployed, measures what it was worth, tells what waits too long",
    DevOps,
    parallel=2,
    meanwhile=keep_looking,
)

if __name__ == "__main__":
    main(ROLE)
