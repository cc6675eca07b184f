"""What a command says when an embedded server cannot serve."""

from pathlib import Path

_TAIL_LINES = 15
_TAIL_BYTES = 16 * 1024


class ServerProblem(Exception):  # noqa: N818 -- says what is wrong with the server, as the glossary has it
    """An embedded server cannot be started, adopted or stopped; the message says why."""


def tail(log: Path, since: int) -> str:
    """Return the last lines written to `log` after byte `since`, indented for a message."""
    if not log.exists():
        return "  (its log was removed)"
    with log.open("rb") as lines:
        end = lines.seek(0, 2)
        lines.seek(max(since, end - _TAIL_BYTES))
        text = lines.read().decode("utf-8", "replace")
    return "\n".join(f"  {line}" for line in text.splitlines()[-_TAIL_LINES:]) or "  (its log is empty)"
