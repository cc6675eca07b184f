"""What was seen in the fields of many examples: each field by its path, with its different values.

A list gives its items under `path[]`, an object its fields under `path.name`, and one whose names are data
all of them under `path.*`. What is sealed is not looked at.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, JsonValue

from schemas.base import Frozen
from services.actions.action import OURS, Ours

MOST_VALUES, MOST_SHOWN, MOST_FIELDS = 10_000, 12, 150
SHOWN = 160  # characters of a value in a prompt
LONGEST = 4000  # characters of a text that is looked at
SEALED = {"sealed_for", "body"}
Leaf = str | int | bool | None


class Seen(Frozen):
    """What was seen in one field: in how many of its parents it was, and its different values.

    `lengths` are of all its texts, shortest and longest, also of those not among the values; `nested` says
    that it held lists or objects, which are no values.
    """

    path: str
    present: int
    parents: int
    values: tuple[Leaf, ...]
    more: bool = False
    nested: bool = False
    lengths: tuple[int, int] | None = None
    numbers: tuple[int, int] | None = None

    @property
    def always(self) -> bool:
        """Whether it was there wherever it could be."""
        return self.present == self.parents

    def told(self) -> str:
        """Return it with some of its values."""
        shown = [f"    {_short(repr(value))}" for value in self.values[:MOST_SHOWN]]
        count = f"{len(self.values)}{' or more' if self.more else ''} different values"
        return "\n".join((f"{self.path}: in {self.present} of {self.parents}, {count}", *shown))


class Observed(Frozen):
    """What was seen in the examples of one subject, such as a type of event."""

    subject: Ours
    examples: Annotated[int, OURS]
    required: Annotated[tuple[str, ...], OURS] = ()
    fields: tuple[Seen, ...] = Field(max_length=MOST_FIELDS)

    def field(self, path: str) -> Seen | None:
        """Return what was seen under a path."""
        return next((one for one in self.fields if one.path == path), None)


class _Looking:
    """Gathers what is seen of one field."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.present = 0
        self.values: dict[tuple[type, Leaf], Leaf] = {}
        self.more = False
        self.nested = False
        self.lengths: tuple[int, int] | None = None
        self.numbers: tuple[int, int] | None = None

    def see(self, value: Leaf) -> None:
        if isinstance(value, str):
            self.lengths = _widened(self.lengths, len(value))
            value = value[:LONGEST]
        elif isinstance(value, int) and not isinstance(value, bool):
            self.numbers = _widened(self.numbers, value)
        if len(self.values) < self.most:
            self.values.setdefault((type(value), value), value)
        elif (type(value), value) not in self.values:
            self.more = True


@dataclass(frozen=True)
class _Met:
    """A value as it was met: under a path, below a parent; None is a value too."""

    path: str
    parent: str
    value: JsonValue


def observed(
    subject: str,
    examples: Iterable[Mapping[str, JsonValue]],
    required: Iterable[str] = (),
    maps: Collection[str] = (),
    most: int = MOST_VALUES,
) -> Observed:
    """Look at examples. `required` are fields known to be so, `maps` paths whose names are data.

    Of each field at most so many different values are kept.
    """
    found: dict[str, _Looking] = {}
    parents: Counter[str] = Counter()
    above: dict[str, str] = {}
    count = 0
    for count, example in enumerate(examples, start=1):  # noqa: B007 -- the last is how many there are
        for met in _walk("", dict(example), parents, maps):
            above[met.path] = met.parent
            looking = found.setdefault(met.path, _Looking(most))
            looking.present += 1
            if isinstance(met.value, list | dict | float):
                looking.nested = True
            else:
                looking.see(met.value)
    fields = [_seen(path, one, parents[above[path]]) for path, one in found.items()]
    return Observed(
        subject=subject, examples=count, required=tuple(required), fields=tuple(fields[:MOST_FIELDS])
    )


def _walk(path: str, value: JsonValue, parents: Counter[str], maps: Collection[str]) -> Iterator[_Met]:
    """Yield every field below a value; count how often each parent was met."""
    match value:
        case dict() if set(value) == SEALED:
            return
        case dict() if path in maps:
            inner = [(f"{path}.*", one) for one in value.values()]
            parents[path] += len(inner)
        case dict():
            inner = [(f"{path}.{name}" if path else name, one) for name, one in value.items()]
            parents[path] += 1
        case list():
            inner = [(f"{path}[]", one) for one in value]
            parents[path] += len(inner)
        case _:
            return
    for below, one in inner:
        yield _Met(below, path, one)
        yield from _walk(below, one, parents, maps)


def _seen(path: str, one: _Looking, parents: int) -> Seen:
    return Seen(
        path=path,
        present=one.present,
        parents=parents,
        values=tuple(one.values.values()),
        more=one.more,
        nested=one.nested,
        lengths=one.lengths,
        numbers=one.numbers,
    )


def _widened(bounds: tuple[int, int] | None, value: int) -> tuple[int, int]:
    low, high = bounds or (value, value)
    return min(low, value), max(high, value)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
