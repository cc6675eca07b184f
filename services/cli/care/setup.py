"""`aps setup`, `aps config show`, `aps reset`: the beginning and the end of a data folder."""

from typing import Annotated

import typer

from services.cli.options import Json, topic
from services.cli.session import run

config = topic("The settings in effect.", "aps config show")


def setup(as_json: Json = False) -> None:
    """Declare the streams, as the user `admin`, and write a context file for the `nats` tool.

    What stands otherwise than declared is put right; nothing is ever deleted.

    Example: aps setup
    """
    from services.cli.care import settling_in

    run(lambda settings: settling_in.setup(settings, as_json=as_json))


@config.command("show")
def show(as_json: Json = False) -> None:
    """Show every setting as it is in effect, secrets masked.

    Example: aps config show
    """
    from services.cli.care import effective

    run(lambda settings: effective.show(settings, as_json=as_json))


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, as_json: Json = False
) -> None:
    """Remove this data folder's log, views, clones, reports and logs for good; never a target.

    Example: aps reset --yes
    """
    from services.cli.care import erasing

    run(lambda settings: erasing.reset(settings, yes=yes, as_json=as_json))
