"""Reads what a person hands over with a request: files that others wrote, and what kind of thing each is."""

import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.context import ContextKind
from services.asking.context import BYTES, MOST, Handed
from services.cli.session import Exit, fail

STANDARD_INPUT = "-"
KINDS = ", ".join(kind.value for kind in ContextKind)


def handed_over(files: Sequence[str]) -> tuple[Handed, ...]:
    """Return what `FILE`s or `KIND=FILE`s hold; ends the command with 2 where one cannot be handed over."""
    if len(files) > MOST:
        fail(Exit.USAGE, f"{len(files)} files are handed over, at most {MOST} are read")
    return tuple(_handed(one) for one in files)


def _handed(given: str) -> Handed:
    before, equals, after = given.partition("=")
    named = bool(equals) and before in [kind.value for kind in ContextKind]
    kind, file = (ContextKind(before), after) if named else (ContextKind.DOCUMENT, given)
    text = _content(file).decode("utf-8", "replace")
    if not text.strip():
        fail(Exit.USAGE, f"{file} is empty: hand over what explains the request, or leave it out")
    return Handed(kind, "standard input" if file == STANDARD_INPUT else Path(file).name[:300], text)


def _content(file: str) -> bytes:
    try:
        if file == STANDARD_INPUT:
            content = sys.stdin.buffer.read(BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(BYTES + 1)
    except (OSError, ValueError) as problem:
        fail(Exit.USAGE, f"{file} cannot be read: {getattr(problem, 'strerror', None) or problem}")
    if len(content) > BYTES:
        fail(Exit.USAGE, f"{file} has more than {BYTES} bytes: hand over the part that explains the request")
    return content
