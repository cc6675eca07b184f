"""A table drawn from a frozen dataclass: its columns, its statements, its rows as JSON and back.

`{schema}` in a statement stands for the schema the views are built in. Rows travel as one JSON
parameter, which PostgreSQL turns into typed columns: one statement for any number of rows.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, get_type_hints

import orjson

SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")
RANGED_INDEXES = (
    "(id) where valid_to_seq is null",
    "using gist (int8range(valid_from_seq, valid_to_seq))",
)


class Row(Protocol):
    """A frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Columns(Protocol):
    """What a database gives for one row."""

    def __getitem__(self, name: str, /) -> Any:
        """Return the value of a column."""
        ...


RowT = TypeVar("RowT", bound=Row)
P = ParamSpec("P")


@dataclass(frozen=True)
class Kind:
    """How values of a Python type stand in a column, and how they are read back."""

    column: str
    read: Callable[[Any], Any]


def _same(value: object) -> object:
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


KINDS: dict[object, Kind] = {
    str: Kind("text not null", _same),
    int: Kind("bigint not null", _same),
    int | None: Kind("bigint", _same),
    bool: Kind("boolean not null", _same),
    bool | None: Kind("boolean", _same),
    datetime: Kind("timestamptz not null", _utc),
    datetime | None: Kind("timestamptz", lambda value: None if value is None else _utc(value)),
    tuple[str, ...]: Kind("text[] not null", tuple),
    dict[str, int]: Kind("jsonb not null", orjson.loads),
}


def _kind(hint: Any) -> Kind:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Kind("text not null", hint)
    return KINDS[hint]


def within(schema: str, statement: str) -> str:
    """Put the schema's name into a statement; raise ValueError for what is no plain name."""
    if not SCHEMA_NAME.fullmatch(schema):
        raise ValueError(f"{schema!r} is no schema name: lower-case letters, digits and '_' only")
    return statement.replace("{schema}", schema)


@dataclass(frozen=True)
class Table(Generic[RowT]):
    """A table whose columns are the fields of `row`."""

    name: str
    row: type[RowT]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> dict[str, Kind]:
        """Each column and its kind, in order."""
        hints = get_type_hints(self.row)
        return {field.name: _kind(hints[field.name]) for field in fields(self.row)}

    def create(self, *, logged: bool) -> str:
        """Return the statement that makes the table. `index` completes it: loading comes first, quicker so.

        One that is not `logged` is filled quicker still, and empty after a crash of the database.
        """
        kind = "table" if logged else "unlogged table"
        body = ", ".join(f'"{name}" {column.column}' for name, column in self.columns.items())
        return f"create {kind} {{schema}}.{self.name} ({body});\n"

    @property
    def index(self) -> str:
        """The statements that make the key and the indexes."""
        table = f"{{schema}}.{self.name}"
        return f"alter table {table} add primary key ({_listed(self.key)});\n" + "".join(
            f"create index {self.name}_{n} on {table} {index};\n"
            for n, index in enumerate(self.indexes, start=1)
        )

    @cached_property
    def put(self) -> str:
        """Write the rows of a JSON list, in place of those with the same key."""
        rest = [name for name in self.columns if name not in self.key]
        changed = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        names, table = _listed(self.columns), f"{{schema}}.{self.name}"
        return (
            f"insert into {table} ({names})"  # noqa: S608 -- names of our own fields
            f" select {names} from json_populate_recordset(null::{table}, $1)"
            f" on conflict ({_listed(self.key)}) do update set {changed}"
        )

    @cached_property
    def standing(self) -> str:
        """The statement for all rows that hold now, by key."""
        holding = " where valid_to_seq is null" if "valid_to_seq" in self.columns else ""
        return f"select * from {{schema}}.{self.name}{holding} order by {_listed(self.key)}"  # noqa: S608 -- names of our own fields

    def amend(self, names: Iterable[str]) -> str:
        """Change columns `names` of the rows whose keys stand in a JSON list."""
        changed = ", ".join(f'"{name}" = x."{name}"' for name in names)
        same = " and ".join(f't."{name}" = x."{name}"' for name in self.key)
        return (
            f"update {{schema}}.{self.name} t set {changed}"  # noqa: S608 -- names of our own fields
            f" from json_populate_recordset(null::{{schema}}.{self.name}, $1) x where {same}"
        )

    def read(self, record: Columns) -> RowT:
        """Return the row of a fetched record; columns the row does not name are left aside."""
        return self.row(**{name: kind.read(record[name]) for name, kind in self.columns.items()})

    def key_of(self, row: Row) -> tuple[object, ...]:
        """The key of a row."""
        found = self._key(row)
        return found if len(self.key) > 1 else (found,)

    @cached_property
    def _key(self) -> Callable[[Row], Any]:
        return attrgetter(*self.key)


def row_of(kind: Callable[P, RowT], /, *_: P.args, **columns: P.kwargs) -> RowT:
    """Return a row of all its columns, by name and in order.

    As calling `kind`, a frozen dataclass, in a third of its time: a rebuild makes a row for each event.
    """
    row: RowT = object.__new__(kind)  # type: ignore[arg-type]  # the kind is the class itself
    object.__setattr__(row, "__dict__", columns)
    return row


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def as_json(rows: Iterable[object]) -> str:
    """Write rows for a statement. PostgreSQL's text holds no NUL: U+FFFD stands in its place."""
    body = orjson.dumps(list(rows))
    if rb"\u0000" in body:
        body = orjson.dumps(_without_nul(orjson.loads(body)))
    return body.decode()


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_without_nul(name): _without_nul(item) for name, item in value.items()}
        case _:
            return value
