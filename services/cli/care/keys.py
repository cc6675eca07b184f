"""`aps keys`: the keys of what is sealed, one for each subject."""

from typing import Annotated

import typer

from services.cli.options import Json, topic
from services.cli.session import run

app = topic(
    "See the keys of what is sealed, put them under a new secret, or delete one for good.",
    "aps keys list",
    "aps keys delete run/3f9a --reason 'asked for'",
)

Subject = Annotated[str, typer.Argument(help="As `aps keys list` shows.", metavar="SUBJECT")]


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the subjects that something was sealed for, and the keys that were deleted.

    Example: aps keys list --json
    """
    from services.cli.care import keeping

    run(lambda settings: keeping.list_keys(settings, as_json=as_json))


@app.command()
def rotate(as_json: Json = False) -> None:
    """Put every key under SECRET_KEY_BASE, and erase what stood under SECRET_KEY_BASE_OLD.

    Nothing that was sealed changes. Run it again once every service has the new secret; then forget the old.

    Example: aps keys rotate
    """
    from services.cli.care import keeping

    run(lambda settings: keeping.rotate(settings, as_json=as_json))


@app.command()
def delete(
    subject: Subject,
    reason: Annotated[str, typer.Option(help="Why; it is kept beside when and by whom.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a subject's key for good: nobody can read what was sealed for it, the log stays whole.

    Example: aps keys delete run/3f9a --reason 'asked for'
    """
    from services.cli.care import keeping

    run(lambda settings: keeping.delete(settings, subject, reason, yes=yes, as_json=as_json))
