"""What a token may be narrowed to: the parts of the system its holder then reaches."""

from enum import StrEnum


class Scope(StrEnum):
    """One part of the system, as the gateway's routes are sorted."""

    IMPROVEMENTS = "improvements"
    TASKS = "tasks"
    DEPLOYMENTS = "deployments"
    METRICS = "metrics"
    LOG = "log"
    SYSTEM = "system"
    ACCESS = "access"


WHAT = {
    Scope.IMPROVEMENTS: "improvements, their evidence, decisions and requests",
    Scope.TASKS: "claims on work, engine runs, the work of outside agents",
    Scope.DEPLOYMENTS: "moves of release branches",
    Scope.METRICS: "figures about the swarm and its targets",
    Scope.LOG: "events, the audit, dead letters",
    Scope.SYSTEM: "health, pausing, settings in effect",
    Scope.ACCESS: "tokens and who was denied what",
}
