"""Comparing two sets of views row by row: digests first, then the rows of what differs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from projections.step import View
from projections.table import within

if TYPE_CHECKING:
    from projections.connection import Connection

    Side = tuple[Connection, str]

DIGEST = """
select count(*) as rows, encode(sha256(coalesce(string_agg(
  sha256(convert_to(t::text, 'UTF8')), ''::bytea order by {order}), ''::bytea)), 'hex') as digest
from (select {columns} from {schema}.{table}) t
"""
ROWS = """
select array[{key}] as key, row_to_json(t)::text as body
from (select {columns} from {schema}.{table}) t order by {order}
"""


@dataclass(frozen=True)
class Compared:
    """A table to compare, the columns of its key, and the columns that count."""

    name: str
    key: tuple[str, ...]
    columns: str = "*"

    def asking(self, statement: str) -> str:
        """Fill in a statement. Keys are ordered as Python orders strings."""
        texts = [f'"{name}"::text' for name in self.key]
        parts = {
            "{table}": self.name,
            "{columns}": self.columns,
            "{key}": ", ".join(texts),
            "{order}": ", ".join(f'{text} collate "C"' for text in texts),
        }
        for name, part in parts.items():
            statement = statement.replace(name, part)
        return statement


CORE = (
    Compared("checkpoint", ("one",), "one, seq, hash, chain"),
    Compared("journal", ("seq",)),
    Compared("poisoned", ("seq",)),
)


@dataclass(frozen=True)
class Difference:
    """A value that a rebuild makes otherwise. A row that only one side has differs in `column` "row"."""

    view: str
    key: tuple[str, ...]
    column: str
    live: str
    rebuilt: str

    def __str__(self) -> str:
        """Return one line a person reads."""
        return f"{self.view} {'/'.join(self.key)} {self.column}: live {self.live}, rebuilt {self.rebuilt}"


@dataclass(frozen=True)
class Line:
    """A row as text, or the end of a table."""

    key: tuple[str, ...]
    body: str


async def differences(live: Side, rebuilt: Side, views: Sequence[View], limit: int) -> list[Difference]:
    """Return up to `limit` differences. Both connections stand in a transaction; live's is a snapshot."""
    found: list[Difference] = []
    for table in (*CORE, *(Compared(view.name, view.table.key) for view in views)):
        if await _digest(live, table) == await _digest(rebuilt, table):
            continue
        async with aclosing(_unlike(live, rebuilt, table)) as pairs:
            async for one, other in pairs:
                found.extend(_columns(table.name, one, other))
                if len(found) >= limit:
                    return found[:limit]
    return found


async def _digest(side: Side, table: Compared) -> tuple[int, str]:
    connection, schema = side
    found = await connection.fetchrow(within(schema, table.asking(DIGEST)))
    assert found is not None  # noqa: S101 -- an aggregate always gives one row
    return found["rows"], found["digest"]


async def _unlike(
    live: Side, rebuilt: Side, table: Compared
) -> AsyncGenerator[tuple[Line | None, Line | None], None]:
    """Walk both tables by key and yield the pairs of rows that are not the same."""
    ours, theirs = _lines(live, table), _lines(rebuilt, table)
    one, other = await anext(ours, None), await anext(theirs, None)
    while one or other:
        if other is None or (one and one.key < other.key):
            yield one, None
            one = await anext(ours, None)
        elif one is None or other.key < one.key:
            yield None, other
            other = await anext(theirs, None)
        else:
            if one.body != other.body:
                yield one, other
            one, other = await anext(ours, None), await anext(theirs, None)


async def _lines(side: Side, table: Compared) -> AsyncIterator[Line]:
    connection, schema = side
    async for found in connection.cursor(within(schema, table.asking(ROWS)), prefetch=500):
        yield Line(tuple(found["key"]), found["body"])


def _columns(view: str, live: Line | None, rebuilt: Line | None) -> list[Difference]:
    if live is None or rebuilt is None:
        key = (live or rebuilt or Line((), "")).key
        there = ("none" if live is None else "there", "none" if rebuilt is None else "there")
        return [Difference(view, key, "row", *there)]
    ours, theirs = orjson.loads(live.body), orjson.loads(rebuilt.body)
    return [
        Difference(view, live.key, column, _text(ours[column]), _text(theirs[column]))
        for column in ours
        if ours[column] != theirs[column]
    ] or [Difference(view, live.key, "bytes", live.body, rebuilt.body)]


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
