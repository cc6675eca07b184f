"""`aps replay`: views made anew from the log, or an improvement repeated from it."""

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
    rerun: Annotated[
        str, typer.Option("--rerun", help="Repeat an improvement in a fork, and compare.", metavar="ID")
    ] = "",
    engine: Annotated[
        str,
        typer.Option(
            help="With --rerun: recorded (what was answered then; nobody is called), claude_code or"
            " openai_compatible."
        ),
    ] = "",
    keep: Annotated[
        str, typer.Option("--keep", help="With --rerun: keep its fork, under this name.", metavar="NAME")
    ] = "",
    as_json: Json = False,
) -> None:
    """Build views anew from the log, beside the live ones; or repeat an improvement as it was asked for.

    With --rerun the log up to the request is opened as a fork, the same services do the same work there, and
    what comes of it is compared: event by event with the recorded answers, side by side with another engine.
    Nothing outside the fork is touched, and it is removed at the end.

    Example: aps replay --check

    Example: aps replay improvement_board --until 1200

    Example: aps replay --rerun sort-the-report-1a2b3c4d

    Example: aps replay --rerun sort-the-report-1a2b3c4d --engine openai_compatible --keep other --json
    """
    if rerun:
        _refuse_with_rerun(view, until, check=check)
        _rerun(rerun, engine, keep, as_json=as_json)
        return
    if engine or keep:
        fail(Exit.USAGE, "--engine and --keep say how an improvement is repeated: give its id with --rerun")
    if check and until:
        fail(Exit.USAGE, "--check compares with the live views as they stand now: leave --until out")
    from services.cli.history import rebuilding

    if check:
        run(lambda settings: rebuilding.check(settings, view, as_json=as_json))
    else:
        run(lambda settings: rebuilding.replay(settings, view or BOARD, until, as_json=as_json))


def _refuse_with_rerun(view: str, until: str, *, check: bool) -> None:
    given = [name for name, value in (("VIEW", view), ("--until", until), ("--check", check)) if value]
    if given:
        fail(Exit.USAGE, f"--rerun repeats an improvement: leave {', '.join(given)} out")


def _rerun(id: str, engine: str, keep: str, *, as_json: bool) -> None:
    from services.engines.choosing import ENGINES, RECORDED

    engine = engine or RECORDED
    if engine not in (RECORDED, *ENGINES):
        fail(Exit.USAGE, f"no engine {engine!r}; there are: {', '.join((RECORDED, *ENGINES))}")
    from services.cli.history import rerunning

    order = rerunning.Order(id, engine, keep)
    run(lambda settings: rerunning.rerun(settings, order, as_json=as_json))
