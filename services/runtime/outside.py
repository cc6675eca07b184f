"""Which settings lead out of a data folder, and that a fork has none of them."""

from pathlib import Path

from services.workspace.fork import UnreadableMarker, fork_of

# The log and the views of others with all that is said of them, and what acts on the world or hears of it.
OUTSIDE = (
    "NATS_",
    "APS_NATS_",
    "DATABASE_",
    "APS_HEALTH_COMMAND",
    "N8N_",
    "GITHUB_WEBHOOK_",
    "APS_WEBHOOK_SECRET",
)


def set_aside(given: dict[str, str], wrong: list[str]) -> bool:
    """Remove what leads out of APS_HOME where that is a fork; return whether it is."""
    try:
        fork = fork_of(Path(given["APS_HOME"]).expanduser().absolute())
    except UnreadableMarker as problem:
        wrong.append(str(problem))
        return False
    if fork is None:
        return False
    for name in [name for name in given if name.startswith(OUTSIDE)]:
        del given[name]
    return True
