"""Pages of a list: behind a key, whatever became of the row that had it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.http.lists import Key, Order, Paged, page_of, time_key
from services.gateway.http.problems import Problem

PLAIN: Order[Key] = Order("plain", (str, int), lambda row: row)
KEYS = st.tuples(st.text(alphabet=st.characters(codec="utf-8")), st.integers(-(1 << 62), 1 << 62))


def page(rows: set[Key], after: str, limit: int) -> tuple[tuple[Key, ...], str | None]:
    found = page_of(rows, PLAIN, Paged(after=after, limit=limit), 1)
    return found.items, found.next


@given(st.sets(KEYS), st.integers(1, 4), st.data())
def test_rows_that_go_between_pages_take_no_other_row_with_them(
    rows: set[Key], limit: int, data: st.DataObject
) -> None:
    seen: list[Key] = []
    gone: set[Key] = set()
    after: str | None = ""
    while after is not None:
        items, after = page(rows - gone, after, limit)
        seen += items
        gone |= data.draw(st.sets(st.sampled_from(sorted(rows)))) if rows else set()
    assert seen == sorted(set(seen))
    assert rows - gone <= set(seen)


@given(st.text(max_size=200))
def test_a_text_that_is_no_cursor_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(Problem) as refused:
        PLAIN.behind(text)
    assert refused.value.status == 422


def test_a_cursor_of_another_list_or_of_other_parts_is_none_of_this() -> None:
    other: Order[Key] = Order("other", (str, int), lambda row: row)
    shorter: Order[Key] = Order("plain", (str,), lambda row: row[:1])
    assert PLAIN.behind(PLAIN.cursor(("a", 1))) == ("a", 1)
    for foreign in (other, shorter):
        with pytest.raises(Problem):
            PLAIN.behind(foreign.cursor(("a", 1)))


def test_times_sort_as_text_as_they_do_as_times() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start, start + timedelta(microseconds=1), start + timedelta(seconds=1)]
    assert sorted(map(time_key, times)) == [time_key(one) for one in times]
