"""The words of access: the roles a token may have, and the parts of the system it may be narrowed to."""

from enum import StrEnum


class Role(StrEnum):
    """What its holder may do: look; look and decide; all; or do the swarm's work from outside."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    AGENT = "agent"


class Scope(StrEnum):
    """One part of the system, as the gateway's routes are sorted."""

    IMPROVEMENTS = "improvements"
    TASKS = "tasks"
    DEPLOYMENTS = "deployments"
    METRICS = "metrics"
    LOG = "log"
    SYSTEM = "system"
    ACCESS = "access"
