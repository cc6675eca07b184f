"""`aps replay`: views made anew from the log, as of any moment, or compared with the live ones."""

from typing import Annotated

import typer

from services.cli.options import Json, Until
from services.cli.session import Exit, fail, run

BOARD = "improvement_board"


def replay(
    view: Annotated[
        str, typer.Argument(help=f"One view, as `aps views list` shows; else {BOARD}.", metavar="[VIEW]")
    ] = "",
    until: Until = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compare every row with the live ones: of all views, or of VIEW.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build views anew from the log, beside the live ones, and show what comes out.

    Example: aps replay --check

    Example: aps replay improvement_board --until 1200
    """
    if check and until:
        fail(Exit.USAGE, "--check compares with the live views as they stand now: leave --until out")
    from services.cli.history import rebuilding

    if check:
        run(lambda settings: rebuilding.check(settings, view, as_json=as_json))
    else:
        run(lambda settings: rebuilding.replay(settings, view or BOARD, until, as_json=as_json))
