"""Options and arguments that several commands take, each in the same words."""

import inspect
import re
from typing import Annotated

import typer

from services.cli.moments import given

EXAMPLES = re.compile(r"\n\n(?=Example:)")

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
At = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="SEQ|TIME",
        help="As it stood at a sequence of the log, or a time.",
        callback=given,
    ),
]
Until = Annotated[
    str,
    typer.Option(
        "--until", metavar="SEQ|TIME", help="Up to a sequence of the log, or a time.", callback=given
    ),
]
Target = Annotated[str, typer.Option("--target", help="Of one target: its id, title or path.")]
Timeout = Annotated[int, typer.Option(help="Seconds to wait for the outcome; 0 is no limit.", min=0)]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the log.")]
IDS_HELP = "As `aps improvements list` shows."
Ids = Annotated[list[str], typer.Argument(help=IDS_HELP, metavar="ID...")]
Id = Annotated[str, typer.Argument(help=IDS_HELP, metavar="ID")]


def topic(about: str, *examples: str) -> typer.Typer:
    """Return a group of commands; its help shows the examples, line by line."""
    lines = "\n".join(f"Example: {example}" for example in examples)
    return typer.Typer(help=f"{about}\n\n\b\n{lines}", no_args_is_help=True, rich_markup_mode=None)


def keep_examples(group: typer.Typer) -> None:
    """Let the help of every command show its examples as they are written, line by line."""
    for command in group.registered_commands:
        # click leaves a paragraph alone that begins with a line of its own holding a backspace.
        command.help = EXAMPLES.sub("\n\n\b\n", inspect.getdoc(command.callback) or "")
    for one in group.registered_groups:
        if one.typer_instance is not None:
            keep_examples(one.typer_instance)
