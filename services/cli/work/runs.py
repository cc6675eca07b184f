"""`aps runs`: what engines were asked, what it took, and how it ended."""

from typing import Annotated

import typer

from services.cli.options import At, Json, Reason, topic
from services.cli.session import run

app = topic(
    "See and cancel the calls of engines.",
    "aps runs tail",
    "aps runs list --outcome failed",
    "aps runs show plan-0f3c9a1be2d44c5f90aa1b27-1",
    "aps runs costs --by day",
)

Id = Annotated[str, typer.Argument(help="A run, as `aps runs list` shows.", metavar="ID")]
OfOne = Annotated[str, typer.Option("--improvement", help="For one improvement.", metavar="ID")]


@app.command("list")
def list_runs(
    improvement: OfOne = "",
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
    id: Id,
    transcript: Annotated[
        bool, typer.Option("--transcript", help="Also what the engine said on the way.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one engine call: what was asked, what it took, and every event of it.

    Example: aps runs show plan-0f3c9a1be2d44c5f90aa1b27-1 --transcript
    """
    from services.cli.work import engine_runs

    run(lambda settings: engine_runs.show(settings, id, transcript=transcript, as_json=as_json))


@app.command()
def tail(
    id: Annotated[str, typer.Argument(help="Only this run, until it ends.", metavar="[ID]")] = "",
    as_json: Json = False,
) -> None:
    """Show what engines do while they do it, in whichever process, until interrupted.

    Nothing of it is kept: what an engine said on the way is in the transcript (aps runs show --transcript).

    Example: aps runs tail

    Example: aps runs tail plan-0f3c9a1be2d44c5f90aa1b27-1 --json
    """
    from services.cli.work import tailing

    run(lambda settings: tailing.tail(settings, id, as_json=as_json))


@app.command()
def cancel(id: Id, reason: Reason = "", as_json: Json = False) -> None:
    """End a call that is under way, wherever it runs; what it reserved is free again.

    Where the process that made it is gone, that is when its lease ends, and the command says when.

    Example: aps runs cancel plan-0f3c9a1be2d44c5f90aa1b27-1 --reason "asked the wrong thing"
    """
    from services.cli.work import cancelling

    run(lambda settings: cancelling.cancel(settings, id, reason, as_json=as_json))


@app.command()
def costs(
    by: Annotated[
        str, typer.Option(help="One sum for each: run, improvement, role, engine, model, task, day.")
    ] = "engine",
    improvement: OfOne = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """Sum up what engine calls took and cost, now or as it stood.

    Example: aps runs costs --by day

    Example: aps runs costs --by role --improvement up006-1a2b3c4d
    """
    from services.cli.work import spending

    run(lambda settings: spending.costs(settings, by, improvement, at, as_json=as_json))
