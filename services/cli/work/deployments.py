"""`aps deployments`: what was moved on release branches, and how it ended."""

from services.cli.options import At, Json, Target, topic
from services.cli.session import run

app = topic("See the moves of release branches.", "aps deployments list")


@app.command("list")
def list_deployments(target: Target = "", at: At = "", as_json: Json = False) -> None:
    """List deployments, oldest first, now or as they stood.

    Example: aps deployments list

    Example: aps deployments list --at 2026-11-23T14:05
    """
    from services.cli.work import deploying

    run(lambda settings: deploying.list_deployments(settings, target, at, as_json=as_json))
