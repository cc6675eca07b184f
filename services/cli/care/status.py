"""`aps status` and `aps doctor`: how everything is, and what to do where it is not well."""

from enum import StrEnum
from typing import Annotated

import typer

from services.cli.session import run

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


class Least(StrEnum):
    """The least health that `aps status` accepts."""

    OK = "ok"
    DEGRADED = "degraded"


MinHealth = Annotated[
    Least | None,
    typer.Option(help="Exit with 6 when the health is worse than this; an open dead letter is degraded."),
]


def status(as_json: Json = False, min_health: MinHealth = None) -> None:
    """Ask each component how it is: servers, streams, views, dead letters, the eight services, sandbox, disk.

    Exits with 1 when something failed. Services need not run, for commands run what they need; but where
    a gateway runs, as in `aps up`, one that does not has failed. --min-health asks for all of them.

    Example: aps status
    Example: aps status --json --min-health degraded
    """
    from services.cli.care import condition

    least = min_health and min_health.value
    run(lambda settings: condition.status(settings, least, as_json=as_json))


def doctor(as_json: Json = False) -> None:
    """Check everything this system needs; name the cure of what is wrong. Exits with 1 when something is.

    Example: aps doctor
    """
    from services.cli.care import diagnosis

    diagnosis.begin(as_json=as_json)
    run(lambda settings: diagnosis.doctor(settings, as_json=as_json))
