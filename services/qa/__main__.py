"""Runs QA as a program of its own: `python -m services.qa`."""

from services.qa.agent import QA
from services.runtime.role import Role, main

ROLE = Role("qa", "Runs suites, executes scenarios, gives verdicts", QA, parallel=2)

if __name__ == "__main__":
    main(ROLE)
