"""Rows as COPY takes them: what a pile of the log comes to, as CSV for each table.

A line of it is what JSON makes of the values, no CSV writer being as quick: text in quotes, where `\\`
escapes quote and itself; bare numbers, `true`, `false`, and `null` for a value that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from events.store import Broken, Recorded
from projections.fold import Folded, Poisoned, fold
from projections.step import View
from projections.table import Row, Table

CACHED = 1024
CONTROL = re.compile(rb"\\[bfnrtu]")
ESCAPED = re.compile(rb"\\(?:u[0-9a-f]{4}|.)")


@dataclass(frozen=True)
class Sheet:
    """The rows of a pile: CSV for each view in order, and the events that poisoned their aggregates."""

    tables: tuple[bytes, ...]
    poisoned: tuple[Poisoned, ...] = ()


def sheet_of(events: Iterable[Recorded], views: Sequence[View], refused: dict[int, str]) -> Sheet:
    """Fold all events of some aggregates from their first on. Raises `Broken` as `fold` does."""
    folded = fold(events, {}, views, refused)
    _require_whole(folded)
    tables = tuple(csv_of(pending.view.table, pending.rows.values()) for pending in folded.pending)
    return Sheet(tables, tuple(folded.poisoned))


def _require_whole(folded: Folded) -> None:
    for pending in folded.pending:
        if pending.amended:
            raise Broken(f"{pending.view.name} amends rows that it never put: {list(pending.amended)[:3]}")


def csv_of(table: Table[Any], rows: Iterable[Row]) -> bytes:
    """Write rows in the order of the table's columns."""
    texts = [(n, text) for n, kind in enumerate(table.columns.values()) if (text := TEXTS.get(kind.column))]
    lines = [orjson.dumps(_values(row, texts))[1:-1] for row in rows]
    written = b"\n".join([*lines, b""])
    return ESCAPED.sub(_unescaped, written) if CONTROL.search(written) else written


def _values(row: Row, texts: Sequence[tuple[int, Callable[[Any], str]]]) -> list[Any]:
    values = list(row.__dict__.values())  # a dataclass fills it in the order of its fields, the columns'
    for n, text in texts:
        values[n] = text(values[n])
    return values


def _unescaped(found: re.Match[bytes]) -> bytes:
    """Return what stands in CSV for an escape of JSON: the character, but for quote and backslash."""
    escape = found[0]
    if escape[1:] in (b'"', b"\\"):
        return escape
    text: str = orjson.loads(b'"' + escape + b'"')
    return text.replace("\0", "\ufffd").encode()  # as `as_json` writes it


@lru_cache(CACHED)
def _array(values: tuple[str, ...]) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join([f'"{value}"' for value in quoted]) + "}"


def _object(value: dict[str, int]) -> str:
    return orjson.dumps({name.replace("\0", "\ufffd"): number for name, number in value.items()}).decode()


TEXTS: dict[str, Callable[[Any], str]] = {
    "text[] not null": _array,
    "jsonb not null": _object,
}
