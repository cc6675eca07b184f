"""The gate that keeps secrets out of a change, by the table of shapes that also hides them elsewhere.

Only added lines are read. The evidence names file, line and kind, never the value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from unidiff import PatchSet

from schemas.improvement import GateResult
from services.gates.evidence import counted, verdict
from services.masking.shapes import Found, secrets_in

SECRETS_ABSENT = "secrets_absent"
VERSION = "2"


@dataclass(frozen=True)
class AddedLine:
    """A line that a change adds; `number` counts from 1 in the new file."""

    path: str
    number: int
    text: str


def added_lines(diff: str) -> tuple[AddedLine, ...]:
    """Choose the added lines of a unified diff."""
    return tuple(
        AddedLine(file.path, line.target_line_no, line.value.rstrip("\n"))
        for file in PatchSet(diff)
        for hunk in file
        for line in hunk
        if line.is_added
    )


def secrets_absent(lines: Iterable[AddedLine]) -> GateResult:
    """Refuse a change that adds something that looks like a secret."""
    seen = tuple(lines)
    offences = [
        f"{line.path}:{line.number}: {found.kind} {_hidden(found)}"
        for line in seen
        for found in secrets_in(line.text)
    ]
    return verdict(SECRETS_ABSENT, VERSION, offences, f"none in {counted(len(seen), 'added line')}")


def _hidden(found: Found) -> str:
    """Say how long the value is; not one character of it."""
    return f"({found.end - found.start} characters, hidden)"
