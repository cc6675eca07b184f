"""Runs the deployer as a program of its own: `python -m services.deployer`."""

from services.deployer.agent import Deployer
from services.runtime.role import Role, main

ROLE = Role("deployer", "Puts changes on the release branch and takes them back", Deployer, parallel=2)

if __name__ == "__main__":
    main(ROLE)
