"""The innermost function or class around a row."""

import pytest

from services.engines.deterministic.source import Source

TEXT = """\
import a


class Outer:
    def first(self):
        def inner():
            return 1
    x = 1

    @property
    def last(self):
        return 2


if a:
    def under():
        pass
else:
    async def other(): return 3
y = 2
"""


@pytest.mark.parametrize(
    ("row", "scope"),
    [
        (1, ""),
        (4, "Outer"),
        (5, "Outer.first"),
        (6, "Outer.first.inner"),
        (7, "Outer.first.inner"),
        (8, "Outer"),
        (10, "Outer"),
        (11, "Outer.last"),
        (12, "Outer.last"),
        (13, ""),
        (16, "under"),
        (18, ""),
        (19, "other"),
        (20, ""),
        (99, ""),
    ],
)
def test_a_row_belongs_to_the_innermost_block_around_it(row: int, scope: str) -> None:
    assert Source(TEXT).scope(row) == scope


def test_what_does_not_parse_has_no_scopes() -> None:
    assert Source("def broken(:\n").scope(1) == ""
