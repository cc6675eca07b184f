"""A process that folds piles for its parent: `python -m projections.building.folding DESCRIPTOR VIEW...`.

It reads where a pile lies, a line of JSON each, and answers with a line of sizes, then the bytes. It knows
no log, no database and no secret, and ends when its parent does: its input is then at its end.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import orjson

from events.jetstream.walk import recorded
from events.store import Broken
from projections.building.piles import Extents, messages
from projections.building.sheets import Sheet, sheet_of
from projections.fold import Poisoned
from projections.step import View
from projections.views.catalogue import VIEWS

PATIENT_COLLECTION = (100_000, 50, 1000)  # states hold no cycles: looking for them took a third of the time


@dataclass(frozen=True)
class Answer:
    """The line before the bytes. `broken` is the message of a `Broken`."""

    sizes: tuple[int, ...]
    poisoned: tuple[tuple[int, str, str, str], ...] = ()
    broken: str = ""


def folded_pile(descriptor: int, extents: Extents, views: Sequence[View]) -> Sheet:
    """Fold one pile. Raises `Broken`."""
    return sheet_of(map(recorded, messages(descriptor, extents)), views, {})


def answered(descriptor: int, request: bytes, views: Sequence[View]) -> tuple[bytes, ...]:
    """Return what to write for a request."""
    try:
        sheet = folded_pile(descriptor, orjson.loads(request), views)
    except Broken as problem:
        return (orjson.dumps(Answer((), broken=str(problem))) + b"\n",)
    poisoned = tuple((p.seq, p.aggregate, p.id, p.reason) for p in sheet.poisoned)
    return orjson.dumps(Answer(tuple(map(len, sheet.tables)), poisoned)) + b"\n", *sheet.tables


def request_of(pile: Extents) -> bytes:
    """Return the line that asks for a pile."""
    return orjson.dumps([list(extent) for extent in pile]) + b"\n"


def read_answer(line: bytes) -> Answer:
    """Read the line before the bytes."""
    found = orjson.loads(line)
    return Answer(tuple(found["sizes"]), tuple(map(tuple, found["poisoned"])), found["broken"])


def sheet_from(answer: Answer, content: bytes) -> Sheet:
    """Cut the bytes into tables."""
    tables, at = [], 0
    for size in answer.sizes:
        tables.append(content[at : at + size])
        at += size
    return Sheet(tuple(tables), tuple(Poisoned(*one) for one in answer.poisoned))


def serve(descriptor: int, views: Sequence[View], asked: IO[bytes], told: IO[bytes]) -> None:
    """Answer until nothing more is asked."""
    while request := asked.readline():
        for part in answered(descriptor, request, views):
            told.write(part)
        told.flush()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(*PATIENT_COLLECTION)
    wanted = sys.argv[2:]
    serve(int(sys.argv[1]), [v for v in VIEWS if v.name in wanted], sys.stdin.buffer, sys.stdout.buffer)
