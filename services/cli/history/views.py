"""`aps views`: the read models."""

from services.cli.options import Json, topic
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
