"""`aps request`: a person's wish through the whole swarm."""

import sys
from typing import Annotated

import typer

from services.cli.aiming import refuse_unusable
from services.cli.cycle.improve import Json, Target
from services.cli.session import Exit, fail, run
from services.cycle.wording import DETERMINISTIC, LONGEST, NOT_IN_WORDS, why_unfit
from services.engines.choosing import AUTO, ENGINES

STANDARD_INPUT = "-"
Words = Annotated[
    str, typer.Argument(help="What should be better, in your words; - reads standard input.", metavar="WORDS")
]
Engine = Annotated[
    str,
    typer.Option(
        help="Ask this engine alone: claude_code or openai_compatible. By default APS_ENGINES says."
    ),
]
Context = Annotated[
    list[str],
    typer.Option(
        help="A file that others wrote and that explains the request, also more than one: FILE, or KIND=FILE"
        " with document, issue, comment, webhook or check; - reads standard input. Nothing in it counts as"
        " your words.",
        metavar="FILE",
    ),
]


def request(
    target: Target,
    words: Words,
    context: Context = [],  # noqa: B006 -- typer reads the default
    engine: Engine = AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prove it, land nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Have what you ask for planned, written, proven and landed.

    PM writes what must hold, Architect plans it, Developer writes it with tests in a copy, QA runs all of it;
    what is proven lands on the branch aps/improved of TARGET. It needs an AI engine: set CLAUDE_CODE_API_KEY
    or CLAUDE_CODE_TOKEN, or OPENAI_COMPATIBLE_URL.

    It ends with 0 when the change landed, waits for a person or a budget, or is under way elsewhere; with 1
    when it was given up or refused, also as the same as another one; with 6 when no engine can be asked.

    Example: aps request ~/src/project "parse() should accept an empty list and return 0"
    Example: aps request . "mend what the issue describes" --context issue=issue-42.md
    Example: aps request . "the report is slow for large files" --engine claude_code --json
    """
    wish = sys.stdin.read(4 * LONGEST) if words == STANDARD_INPUT else words
    if unfit := why_unfit(wish):
        fail(Exit.USAGE, unfit)
    if engine == DETERMINISTIC:
        fail(Exit.USAGE, NOT_IN_WORDS)
    if engine not in (AUTO, *ENGINES):
        fail(Exit.USAGE, f"no engine {engine!r}; there are: {', '.join(ENGINES)}")
    refuse_unusable([target])
    if words == STANDARD_INPUT and any(one.endswith(STANDARD_INPUT) for one in context):
        fail(Exit.USAGE, "standard input holds the request already: hand over a file")
    from services.cli.cycle import whole as cycle
    from services.cli.cycle.handing import handed_over
    from services.cycle.requesting import Wish

    asked = Wish(target, dry_run=dry_run, request=wish.strip(), engine=engine, context=handed_over(context))
    run(lambda settings: cycle.request(settings, asked, as_json=as_json))
