"""`aps improvements`: see them, and decide about them."""

from typing import Annotated

import typer

from services.cli.engine_option import Engine
from services.cli.options import At, Id, Ids, Json, Reason, Target, Timeout, topic
from services.cli.session import Exit, fail, run
from services.engines.choosing import AUTO

app = topic(
    "See improvements, approve or decline them, take them back, try them again.",
    "aps improvements list",
    "aps improvements show up006-1a2b3c4d",
)


@app.command("list")
def list_improvements(
    target: Target = "",
    status: Annotated[str, typer.Option(help="Of one status, such as testing_complete.")] = "",
    at: At = "",
    as_json: Json = False,
) -> None:
    """List improvements by target and rank, now or as they stood.

    Example: aps improvements list --status testing_complete

    Example: aps improvements list --at "10m ago"
    """
    from services.cli.decisions import board

    run(lambda settings: board.list_improvements(settings, target, status, at, as_json=as_json))


@app.command()
def show(
    id: Id,
    at: At = "",
    diff: Annotated[bool, typer.Option("--diff", help="Print the change itself.")] = False,
    as_json: Json = False,
) -> None:
    """Show one improvement: what, why, its evidence, and everything that happened to it.

    Example: aps improvements show up006-1a2b3c4d

    Example: aps improvements show up006-1a2b3c4d --at 2026-11-23T14:05
    """
    from services.cli.decisions import board

    run(lambda settings: board.show(settings, id, at, diff=diff, as_json=as_json))


@app.command()
def explain(id: Id, engine: Engine = AUTO, as_json: Json = False) -> None:
    """Explain why an improvement was refused: each cause with the gate or test that shows it, and what to do.

    An AI engine that is set up explains it, held to the evidence; else gates and tests speak for themselves.

    Example: aps improvements explain up006-1a2b3c4d

    Example: aps improvements explain up006-1a2b3c4d --engine deterministic --json
    """
    from services.cli.decisions import explaining

    run(lambda settings: explaining.explain(settings, id, engine, as_json=as_json))


@app.command()
def approve(ids: Ids, reason: Reason = "", timeout: Timeout = 0, as_json: Json = False) -> None:
    """Let proven changes land, and wait until they did.

    Example: aps improvements approve up006-1a2b3c4d
    """
    from services.cli.decisions import deciding as decisions

    run(lambda settings: decisions.approve(settings, ids, reason, timeout, as_json=as_json))


@app.command()
def decline(ids: Ids, reason: Reason = "", timeout: Timeout = 0, as_json: Json = False) -> None:
    """Refuse proven changes: they will not land, and are not proposed again on the same files.

    Example: aps improvements decline up006-1a2b3c4d --reason "the old form reads better"
    """
    from services.cli.decisions import deciding as decisions

    run(lambda settings: decisions.decline(settings, ids, reason, timeout, as_json=as_json))


@app.command()
def rollback(
    ids: Annotated[list[str] | None, typer.Argument(help="Landed improvements.", metavar="[ID...]")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that landed.")] = False,
    target: Target = "",
    reason: Reason = "",
    timeout: Timeout = 0,
    as_json: Json = False,
) -> None:
    """Take landed changes back, also from the middle; later ones stay.

    Example: aps improvements rollback up006-1a2b3c4d

    Example: aps improvements rollback --all --target toolz-1-2-0-5e6f7a8b
    """
    if bool(ids) == every:
        fail(Exit.USAGE, "give either improvements or --all")
    if target and not every:
        fail(Exit.USAGE, "--target goes with --all")
    from services.cli.decisions import deciding as decisions

    run(lambda settings: decisions.roll_back(settings, ids or [], target, reason, timeout, as_json=as_json))


@app.command()
def retry(ids: Ids, reason: Reason = "", timeout: Timeout = 0, as_json: Json = False) -> None:
    """Try improvements again that were declined, abandoned or taken back, from the start.

    Exits with 0 where each landed or waits for an approval, and says how to give that; with 6 where one was
    asked for in words and no AI engine can be asked, here or elsewhere; else with 1.

    Example: aps improvements retry up006-1a2b3c4d
    """
    from services.cli.decisions import deciding as decisions

    run(lambda settings: decisions.retry(settings, ids, reason, timeout, as_json=as_json))


@app.command()
def priority(
    id: Id,
    rank: Annotated[int, typer.Argument(help="The new rank; 1 comes first.", metavar="RANK", min=1)],
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Change the rank of an unfinished improvement.

    Example: aps improvements priority up006-1a2b3c4d 1
    """
    from services.cli.decisions import deciding as decisions

    run(lambda settings: decisions.prioritise(settings, id, rank, reason, as_json=as_json))
