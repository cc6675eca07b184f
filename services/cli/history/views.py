"""`aps views`: the read models."""

from typing import Annotated

import typer

from services.cli.options import At, Json, topic
from services.cli.session import run

app = topic(
    "See the views that are built from the log, and build them anew.",
    "aps views list",
    "aps views rebuild",
)


@app.command("list")
def list_views(as_json: Json = False) -> None:
    """List the views, their versions and rows, and how far they are.

    Example: aps views list
    """
    from services.cli.history import rebuilding

    run(lambda settings: rebuilding.list_views(settings, as_json=as_json))


@app.command()
def show(
    view: Annotated[str, typer.Argument(help="As `aps views list` shows.", metavar="VIEW")],
    at: At = "",
    as_json: Json = False,
) -> None:
    """Show the rows of one view, now or as they stood.

    Example: aps views show targets

    Example: aps views show task_board --at 1200
    """
    from services.cli.history import showing

    run(lambda settings: showing.show(settings, view, at, as_json=as_json))


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Build all views anew beside the live ones, then switch to them in one transaction.

    Example: aps views rebuild
    """
    from services.cli.history import rebuilding

    run(lambda settings: rebuilding.rebuild(settings, as_json=as_json))


@app.command()
def switch(as_json: Json = False) -> None:
    """Return to the views before the last switch, brought up to date; a second call returns again.

    Example: aps views switch
    """
    from services.cli.history import rebuilding

    run(lambda settings: rebuilding.switch(settings, as_json=as_json))
