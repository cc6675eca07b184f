"""`aps token`: who may reach the gateway, and what they may do there."""

from typing import Annotated

import typer

from schemas.access import Role, Scope
from services.cli.options import At, Json, Reason, topic
from services.cli.session import run

app = topic(
    "Make, list and revoke the tokens that let people and programs in.",
    "aps token create --role viewer",
    "aps token list",
)


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What it allows.")],
    title: Annotated[str, typer.Option(help="Who or what it is for.")] = "",
    days: Annotated[int, typer.Option(help="How long it is worth something.", min=1, max=3650)] = 90,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Narrow it to a part of the system; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once.

    A viewer looks; an operator also decides; an admin also governs access; an agent does work from outside.

    Example: aps token create --role operator --title "release team" --days 30

    Example: aps token create --role viewer --scope metrics --json
    """
    from services.cli.care import letting_in

    scopes = tuple(dict.fromkeys(one.value for one in scope or ()))
    run(lambda settings: letting_in.create(settings, title, role, days, scopes, as_json=as_json))


@app.command("list")
def list_tokens(
    every: Annotated[bool, typer.Option("--all", help="Also the revoked and the expired.")] = False,
    at: At = "",
    as_json: Json = False,
) -> None:
    """List tokens, without their secrets.

    Example: aps token list --all
    """
    from services.cli.care import letting_in

    run(lambda settings: letting_in.list_tokens(settings, at, every=every, as_json=as_json))


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="As `aps token list` shows.", metavar="ID")],
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Make a token worth nothing, at once and for ever.

    Example: aps token revoke 5f3a1c2b4d6e --reason "the laptop was stolen"
    """
    from services.cli.care import letting_in

    run(lambda settings: letting_in.take_away(settings, id, reason, as_json=as_json))
