"""`aps logs`: the log lines of every service, oldest first."""

from typing import Annotated

import typer

from services.cli.session import Exit, fail, run

LEVELS = ("debug", "info", "warning", "error")
Lines = Annotated[int, typer.Option("-n", "--lines", help="The last so many lines.", min=0)]
Level = Annotated[str, typer.Option(help="The least important lines shown.", metavar="|".join(LEVELS))]
Services = Annotated[
    list[str] | None, typer.Option("--service", help="Of this service only; may be repeated.", metavar="NAME")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with lines as they come.")]
Raw = Annotated[bool, typer.Option("--json", help="The lines as they were logged, one JSON object each.")]


def logs(
    level: Level = "debug",
    service: Services = None,
    follow: Follow = False,
    lines: Lines = 100,
    as_json: Raw = False,
) -> None:
    """Show what the services of this data folder logged.

    Example: aps logs --level warning
    Example: aps logs --service qa --follow --json
    """
    if level not in LEVELS:
        fail(Exit.USAGE, f"no level {level!r}; there is: {', '.join(LEVELS)}")
    from services.cli.care import log_reading

    chosen = log_reading.Choice(level, tuple(service or ()))
    run(lambda settings: log_reading.logs(settings, chosen, lines, follow=follow, as_json=as_json))
