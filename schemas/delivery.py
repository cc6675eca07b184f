"""The words of web hooks: who delivers, and what became of a delivery."""

from enum import StrEnum


class Source(StrEnum):
    """Which web hook something was delivered to."""

    GITHUB = "github"
    N8N = "n8n"
    SYSTEM = "system"


class Outcome(StrEnum):
    """What a delivery led to.

    `recorded`: nothing but its own record. `own`: it tells of the swarm's own work, which never asks for
    more. `unknown`: it is about a repository or target in nobody's care here. `requested`: a scan was asked
    for. `held`: it asks for something that could not be asked for as things stand.
    """

    RECORDED = "recorded"
    OWN = "own"
    UNKNOWN = "unknown"
    REQUESTED = "requested"
    HELD = "held"
