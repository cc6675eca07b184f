"""Runs PM as a program of its own: `python -m services.pm`."""

from services.pm.agent import PM
from services.runtime.role import Role, main

ROLE = Role("pm", "Finds improvements, ranks them, writes requirements", PM, parallel=4)

if __name__ == "__main__":
    main(ROLE)
