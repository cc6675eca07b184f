"""`aps fork`: the log up to a moment as a world of its own."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from services.cli.options import Json, topic
from services.cli.session import run

OPEN = "at"


class _Opening(TyperGroup):
    """`aps fork MOMENT` is `aps fork at MOMENT`: no moment is called like a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in where a moment, or an option of it, comes first."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [OPEN, *args]
        return super().parse_args(ctx, args)


app = topic(
    "Open the log up to a moment as a world of its own, in which nothing outside is touched.",
    "aps fork at 1200 --name careful",
    "aps fork compare careful",
)
app.info.cls = _Opening
app.info.subcommand_metavar = "SEQ|TIME | COMMAND [ARGS]..."

Name = Annotated[str, typer.Argument(help="As `aps fork list` shows.", metavar="NAME")]


@app.command(OPEN)
def open_fork(
    moment: Annotated[
        str,
        typer.Argument(help="The last event of it: a sequence of the log, or a time.", metavar="SEQ|TIME"),
    ],
    name: Annotated[
        str, typer.Option(help="What to call it: a-z, 0-9 and -; else after the sequence.", metavar="NAME")
    ] = "",
    as_json: Json = False,
) -> None:
    """Open a fork: log, artefacts, clones and targets as they were, in a data folder with servers of its own.

    `aps fork 1200` is short for this. Work in it by its data folder, with whatever settings: it goes on where
    it was. Targets are copies in there; nothing is pushed, called or run outside.

    Example: aps fork at 1200 --name careful

    Example: aps fork at 2026-11-23T14:05

    Example: aps fork at "10m ago" --json
    """
    from services.cli.history import forking

    run(lambda settings: forking.open_fork(settings, moment, name, as_json=as_json))


@app.command("list")
def list_forks(as_json: Json = False) -> None:
    """List the forks of this data folder, each with its targets' copies; in a fork itself that one too.

    Example: aps fork list
    """
    from services.cli.history import forking

    run(lambda settings: forking.list_forks(settings, as_json=as_json))


@app.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Remove a fork for good: its log, its views, its copies. The original is not touched.

    Example: aps fork remove careful
    """
    from services.cli.history import forking

    run(lambda settings: forking.remove(settings, name, as_json=as_json))


@app.command()
def compare(
    name: Name,
    other: Annotated[
        str, typer.Option("--with", help="Another fork; else the original.", metavar="NAME")
    ] = "",
    as_json: Json = False,
) -> None:
    """Compare what came of a fork with what came of the original since they parted.

    Example: aps fork compare careful

    Example: aps fork compare careful --with bold
    """
    from services.cli.history import forking

    run(lambda settings: forking.compare(settings, name, other, as_json=as_json))
