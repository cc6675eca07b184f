"""The commands a person types next, quoted for the shell.

`aps` is how a command line begins that reaches the data folder spoken of.
"""

import shlex
from collections.abc import Sequence

from schemas.base import Frozen
from schemas.improvement import Status
from services.cycle.outcome import Outcome, Result
from services.cycle.text import escaped, is_plain
from services.engines.deterministic.rules import DEFAULT_SELECT

SHORT = 12
REQUEST = "request"


class Command(Frozen):
    """What a command is for, and the command."""

    purpose: str
    line: str


def shell_word(text: str) -> str:
    """Quote a word for bash; characters that cannot be seen become escapes it reads back."""
    if is_plain(text):
        return shlex.quote(text)
    body = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(c if is_plain(c) else escaped(c) for c in body) + "'"


def seeing(outcome: Outcome) -> tuple[Command, ...]:
    """Return the commands that show what landed; nothing when nothing did."""
    if not outcome.landed:
        return ()
    git = f"git -C {shell_word(outcome.target)}"
    span = f"{outcome.base[:SHORT]}..{shell_word(outcome.branch)}"
    return (
        Command(purpose="See every changed line", line=f"{git} diff {span}"),
        Command(purpose="See one commit an improvement", line=f"{git} log --stat {span}"),
        Command(purpose="Take it over", line=f"{git} merge {shell_word(outcome.branch)}"),
    )


def undoing(outcome: Outcome, aps: str) -> tuple[Command, ...]:
    """Return the commands that take back what landed; nothing when nothing did."""
    if not outcome.landed:
        return ()
    every = f"{aps} improvements rollback --all --target {shell_word(outcome.target_id)}"
    return (
        Command(
            purpose="Take one back",
            line=f"{aps} improvements rollback {shell_word(outcome.landed[-1].id)}",
        ),
        Command(purpose="Take all back", line=every),
    )


def deciding(outcome: Outcome, one: Result, aps: str) -> tuple[Command, ...]:
    """Return the commands by which a person looks at a waiting improvement, and decides once it is proven."""
    word = shell_word(one.id)
    look = Command(purpose="Look at it", line=f"{aps} improvements show {word}")
    if one.status != Status.TESTING_COMPLETE:
        return (look,)
    approve = Command(purpose="Let it land", line=f"{aps} improvements approve {word}")
    if outcome.dry_run:
        approve = Command(purpose="Let all of them land", line=landing(outcome, aps))
    return (
        look,
        approve,
        Command(purpose="Decline it", line=f"{aps} improvements decline {word}"),
    )


def retrying(ids: Sequence[str], aps: str) -> str:
    """Return the command that tries improvements again from the start."""
    return f"{aps} improvements retry {' '.join(map(shell_word, ids))}"


def explaining(id: str, aps: str) -> str:
    """Return the command that explains why an improvement was refused."""
    return f"{aps} improvements explain {shell_word(id)}"


def landing(outcome: Outcome, aps: str) -> str:
    """Return the command that lands what a dry run proved, and no more than that run was allowed."""
    if asked := [one.id for one in outcome.improvements if one.source == REQUEST and _waits(outcome, one)]:
        return f"{aps} improvements approve {' '.join(map(shell_word, asked))}"
    words = [aps, "improve", shell_word(outcome.origin)]
    if outcome.limit:
        words += ["--limit", str(outcome.limit)]
    if outcome.rules != DEFAULT_SELECT:
        words += ["--rules", shell_word(",".join(outcome.rules))]
    return " ".join(words)


def _waits(outcome: Outcome, one: Result) -> bool:
    return one.status == Status.TESTING_COMPLETE and one.id in {waiting.id for waiting in outcome.waiting}


def reaching(text: str, aps: str) -> str:
    """Return a text whose commands begin as they have to for this data folder."""
    return text.replace("aps improvements", f"{aps} improvements")
