"""Lists in pages: what is shown, where the next page begins, and at which position of the log it holds."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from schemas.base import Frozen

ItemT = TypeVar("ItemT")
MOST = 1000
USUAL = 100


class At(Frozen):
    """As it stood at a moment; empty is now."""

    at: Annotated[str, Field(max_length=64, description="A sequence of the log, a time, or `10m ago`.")] = ""


class Paged(At):
    """Which part of a list."""

    after: Annotated[str, Field(max_length=200, description="The id that the page begins behind.")] = ""
    limit: Annotated[int, Field(ge=1, le=MOST, description="How many at most.")] = USUAL


class Page(Frozen, Generic[ItemT]):
    """A part of a list. `next` is what `after` must be for the next part, None at the end.

    `position` is the sequence of the log it holds at.
    """

    items: tuple[ItemT, ...]
    next: str | None
    position: int


def page_of(rows: Sequence[ItemT], id_of: Callable[[ItemT], str], asked: Paged, position: int) -> Page[ItemT]:
    """Return the part of `rows` that is asked for; behind an id that is not there it is empty."""
    begin = 0
    if asked.after:
        places = (place for place, row in enumerate(rows) if id_of(row) == asked.after)
        begin = next(places, len(rows)) + 1
    items = tuple(rows[begin : begin + asked.limit])
    more = begin + asked.limit < len(rows)
    return Page(items=items, next=id_of(items[-1]) if more else None, position=position)
