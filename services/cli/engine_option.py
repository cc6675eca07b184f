"""The option by which a command is told which engine to ask, or none."""

from typing import Annotated

import typer

from services.engines.choosing import AUTO, ENGINES

RULES_ALONE = "deterministic"
CHOICES = (AUTO, RULES_ALONE, *ENGINES)


def known(value: str) -> str:
    """Return the value of the option; ends the command with 2 for an engine there is not."""
    if value not in CHOICES:
        raise typer.BadParameter(f"no engine {value!r}; there are: {', '.join(CHOICES[1:])}")
    return value


Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        help=f"Ask {' or '.join(ENGINES)} alone; {RULES_ALONE} asks none. By default APS_ENGINES says.",
        metavar="ENGINE",
        callback=known,
    ),
]
