"""`aps monitor`: the command."""

from typing import Annotated

import typer

from services.cli.options import Json
from services.cli.session import run

Once = Annotated[bool, typer.Option("--once", help="Print one picture and end: for pipes.")]


def monitor(once: Once = False, as_json: Json = False) -> None:
    """Watch the whole in a terminal until q or Ctrl-C.

    Health, work in flight, what waits for a person, spend against budget, last outcomes, dead letters.

    Example: aps monitor

    Example: aps monitor --once
    """
    from services.cli.monitor import watching

    run(lambda settings: watching.monitor(settings, once=once, as_json=as_json), traced=False)
