"""`aps runs`: what engines were asked, what it took, and how it ended."""

from typing import Annotated

import typer

from services.cli.options import At, Json, topic
from services.cli.session import run

app = topic(
    "See the calls of engines.",
    "aps runs list --outcome failed",
    "aps runs show up006-1a2b3c4d-r12",
)


@app.command("list")
def list_runs(
    improvement: Annotated[str, typer.Option(help="For one improvement.", metavar="ID")] = "",
    outcome: Annotated[str, typer.Option(help="Of one outcome, such as failed.")] = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """List engine calls, oldest first, now or as they stood.

    Example: aps runs list --outcome failed

    Example: aps runs list --at 1200
    """
    from services.cli.work import engine_runs

    run(lambda settings: engine_runs.list_runs(settings, improvement, outcome, at, as_json=as_json))


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="A run, as `aps runs list` shows.", metavar="ID")],
    as_json: Json = False,
) -> None:
    """Show one engine call: what was asked, what it took, and every event of it.

    Example: aps runs show up006-1a2b3c4d-r12
    """
    from services.cli.work import engine_runs

    run(lambda settings: engine_runs.show(settings, id, as_json=as_json))
