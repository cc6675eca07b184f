"""Lists in pages: in which order, what is shown, where the next page begins, at which position it holds.

Rules
1. A cursor holds the sort key of the last row that was shown, so that the next page begins behind it whether
   that row is still in the list or not.
2. A row whose key changes between two pages may be missed or come twice; who must not have that asks for all
   pages with the first one's `position` as `at`.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar

import orjson
from pydantic import Field

from schemas.base import Frozen
from services.gateway.http.problems import Problem

ItemT = TypeVar("ItemT")
Key = tuple[int | str, ...]
MOST = 1000
USUAL = 100
LONGEST_CURSOR = 2000
SORTED_BY = 200  # characters of a title: what is longer is sorted by its beginning, so cursors stay short


class At(Frozen):
    """As it stood at a moment; empty is now."""

    at: Annotated[str, Field(max_length=64, description="A sequence of the log, a time, or `10m ago`.")] = ""


class Paged(At):
    """Which part of a list."""

    after: Annotated[
        str,
        Field(max_length=LONGEST_CURSOR, description="The `next` of the page before; empty for the first."),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=MOST, description="How many at most.")] = USUAL


class Page(Frozen, Generic[ItemT]):
    """A part of a list. `next` is what `after` must be for the next part, None at the end.

    `position` is the sequence of the log it holds at.
    """

    items: tuple[ItemT, ...]
    next: str | None
    position: int


@dataclass(frozen=True)
class Order(Generic[ItemT]):
    """How a list is sorted. `key` is unique in it, and made of `kinds`; cursors are of the list `name`."""

    name: str
    kinds: tuple[type[int] | type[str], ...]
    key: Callable[[ItemT], Key]

    def cursor(self, row: ItemT) -> str:
        """Return what the page behind a row is asked for with."""
        packed = orjson.dumps([self.name, *self.key(row)])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def behind(self, cursor: str) -> Key:
        """Return the key that a cursor holds. Raises `Problem` for what is no cursor of this list."""
        try:
            packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            name, *key = orjson.loads(packed)
        except (binascii.Error, ValueError, TypeError) as problem:
            raise _no_cursor() from problem
        if name != self.name or tuple(map(type, key)) != self.kinds:
            raise _no_cursor()
        return tuple(key)


def _no_cursor() -> Problem:
    told = "`after` is no cursor of this list: give the `next` of the page before, or nothing for the first"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=("after: it is no cursor of this list",))


def time_key(time: datetime) -> str:
    """Return a time as text that sorts as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def page_of(rows: Iterable[ItemT], order: Order[ItemT], asked: Paged, position: int) -> Page[ItemT]:
    """Return the part of `rows` that is asked for. Raises `Problem` for what is no cursor."""
    found = sorted(rows, key=order.key)
    if asked.after:
        last = order.behind(asked.after)
        found = [row for row in found if order.key(row) > last]
    items = tuple(found[: asked.limit])
    more = len(found) > asked.limit
    return Page(items=items, next=order.cursor(items[-1]) if more else None, position=position)
