"""`aps dead`: events a role gave up on, to be given to it again or to be left."""

from typing import Annotated

import typer

from services.cli.options import Json, Timeout, topic
from services.cli.session import Exit, fail, run

app = topic(
    "See the events that roles gave up on, give them to their role again, or discard them.",
    "aps dead list",
    "aps dead replay 3",
)

Numbers = Annotated[
    list[int] | None, typer.Argument(help="Letters, as `aps dead list` shows.", metavar="NUMBER...", min=1)
]
EVERY = typer.Option("--all", help="All open ones.")


@app.command("list")
def list_letters(
    every: Annotated[bool, typer.Option("--all", help="The closed ones too.")] = False, as_json: Json = False
) -> None:
    """List the dead letters nothing was done about.

    Example: aps dead list --json
    """
    from services.cli.work import redelivery

    run(lambda settings: redelivery.list_letters(settings, every=every, as_json=as_json))


@app.command()
def replay(
    numbers: Numbers = None,
    every: Annotated[bool, EVERY] = False,
    timeout: Timeout = 600,
    as_json: Json = False,
) -> None:
    """Give events to their role once more, in this process; what then succeeds is closed.

    A letter that was discarded can be replayed all the same. It ends with 6 where the event is about what was
    asked for in words and no AI engine can be asked, here or elsewhere.

    Example: aps dead replay 3
    """
    _choose(numbers, every=every)
    from services.cli.work import redelivery

    run(lambda settings: redelivery.replay(settings, numbers or [], timeout, as_json=as_json))


@app.command()
def discard(
    reason: Annotated[str, typer.Option(help="Why nothing is to be done; it is kept.")],
    numbers: Numbers = None,
    every: Annotated[bool, EVERY] = False,
    as_json: Json = False,
) -> None:
    """Close letters without doing anything; they stay readable with the reason.

    What waited for such an event goes on waiting: its cycle ends only once the letter is replayed, and a
    new commit in the target begins another.

    Example: aps dead discard 3 --reason "the target is gone"
    """
    _choose(numbers, every=every)
    from services.cli.work import redelivery

    run(lambda settings: redelivery.discard(settings, numbers or [], reason, as_json=as_json))


def _choose(numbers: list[int] | None, *, every: bool) -> None:
    if bool(numbers) == every:
        fail(Exit.USAGE, "give either numbers of letters or --all")
