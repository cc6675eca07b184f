"""`aps pause` and `aps resume`: whether new work begins, at all or on a target."""

from typing import Annotated

import typer

from services.cli.options import Json, Reason
from services.cli.session import run

Target = Annotated[
    str,
    typer.Argument(help="A target: its id, title or path. Without it, everything.", metavar="[TARGET]"),
]


def pause(target: Target = "", reason: Reason = "", as_json: Json = False) -> None:
    """Halt all new work at once: no engine is called, no work is begun. With TARGET, only its new cycles.

    What is under way goes on, and changes can still be taken back.

    Example: aps pause --reason "the bill looks wrong"

    Example: aps pause toolz-1.2.0 --reason "release week"
    """
    from services.cli.work import pausing

    run(lambda settings: pausing.pause(settings, target, reason, as_json=as_json))


def resume(target: Target = "", as_json: Json = False) -> None:
    """Let work begin again. Targets that were paused by themselves are resumed by their names.

    Example: aps resume

    Example: aps resume toolz-1.2.0
    """
    from services.cli.work import pausing

    run(lambda settings: pausing.resume(settings, target, as_json=as_json))
