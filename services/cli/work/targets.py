"""`aps pause` and `aps resume`: whether new work begins on targets."""

from typing import Annotated

import typer

from services.cli.options import Json, Reason
from services.cli.session import run

Target = Annotated[
    str, typer.Argument(help="A target: its id, title or path. Without it, all.", metavar="[TARGET]")
]


def pause(target: Target = "", reason: Reason = "", as_json: Json = False) -> None:
    """Let no new cycle begin on a target; what is under way goes on.

    Example: aps pause toolz-1.2.0 --reason "release week"
    """
    from services.cli.work import pausing

    run(lambda settings: pausing.pause(settings, target, reason, as_json=as_json))


def resume(target: Target = "", as_json: Json = False) -> None:
    """Let cycles begin again on a target that was paused.

    Example: aps resume toolz-1.2.0
    """
    from services.cli.work import pausing

    run(lambda settings: pausing.resume(settings, target, as_json=as_json))
