"""A look is a scan of its own: an unfinished cycle is neither gone on with by it nor forgotten after it."""

from pathlib import Path
from typing import Any

import pytest

from events.target import TARGET
from services.cycle.requesting import Place, Wish, ask
from services.runtime.log import Log
from services.workspace.git.repository import Repository
from services.workspace.target import TargetInspection
from tests.asking_example import Time, book_at


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    await Repository(tmp_path).initialise(bare=False)
    inspection = TargetInspection(tmp_path, "a" * 40, "main", dirty=False, notes=())
    return Place("shop-1", tmp_path, str(tmp_path), "shop", str(tmp_path), inspection)


async def asked(book: Log, place: Place, **options: Any) -> tuple[str, bool]:
    """Ask for a cycle; return its scan, and whether that was under way."""
    found = await ask(book, place, Wish(place.recorded, **options), "cli")
    return found.scan, found.followed


async def test_a_look_beside_an_unfinished_cycle_only_looks(place: Place) -> None:
    book = await book_at(Time())
    assert await asked(book, place) == ("shop-1-s1", False)
    assert await asked(book, place, look_only=True) == ("shop-1-s2", False)
    scans = (await book.state(TARGET, place.id)).scans
    assert [scan.requested.look_only for scan in scans.values()] == [False, True]


async def test_a_cycle_goes_on_after_a_look_at_the_same_commit(place: Place) -> None:
    book = await book_at(Time())
    await asked(book, place)
    await asked(book, place, look_only=True)
    assert await asked(book, place) == ("shop-1-s1", True)


async def test_a_cycle_asked_for_during_a_look_is_more_than_a_look(place: Place) -> None:
    book = await book_at(Time())
    await asked(book, place, look_only=True)
    assert await asked(book, place) == ("shop-1-s2", False)
    assert await asked(book, place, look_only=True) == ("shop-1-s1", True)
