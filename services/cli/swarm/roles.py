"""The eight services a process can run, each as its own package wires it."""

from services.architect.__main__ import ROLE as ARCHITECT
from services.deployer.__main__ import ROLE as DEPLOYER
from services.developer.__main__ import ROLE as DEVELOPER
from services.devops.__main__ import ROLE as DEVOPS
from services.pm.__main__ import ROLE as PM
from services.qa.__main__ import ROLE as QA

AGENTS = {role.name: role for role in (PM, ARCHITECT, DEVELOPER, QA, DEVOPS, DEPLOYER)}
EVERYONE = (*AGENTS, "projector")  # what a cycle needs
SERVICES = (*EVERYONE, "gateway")
