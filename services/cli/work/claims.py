"""`aps claims`: who works on what, and how to take the work from a holder."""

from typing import Annotated

import typer

from services.cli.options import At, Json, Reason, topic
from services.cli.session import run

app = topic(
    "See who works on what, and free what is held.",
    "aps claims list",
    "aps claims release improvement up006-1a2b3c4d",
)

Aggregate = Annotated[str, typer.Argument(help="target, improvement or batch.", metavar="AGGREGATE")]
Id = Annotated[str, typer.Argument(help="Its id, as `aps claims list` shows.", metavar="ID")]


@app.command("list")
def list_claims(
    every: Annotated[bool, typer.Option("--all", help="The ended ones too.")] = False,
    agent: Annotated[str, typer.Option(help="Of one agent.")] = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """List the claims that are held, or were, oldest first; an expired one may be taken over by anybody.

    Example: aps claims list --all

    Example: aps claims list --at "10m ago"
    """
    from services.cli.work import claiming

    run(lambda settings: claiming.list_claims(settings, agent, at, every=every, as_json=as_json))


@app.command()
def release(aggregate: Aggregate, id: Id, reason: Reason = "", as_json: Json = False) -> None:
    """Free work whose holder is not to finish it; any copy of its role may then claim it.

    Example: aps claims release improvement up006-1a2b3c4d --reason "its machine is gone"
    """
    from services.cli.work import claiming

    run(lambda settings: claiming.release(settings, aggregate, id, reason, as_json=as_json))
