"""Namespaces made ahead: each is given once, and one that could not be made stands in nobody's way."""

import asyncio
import os
from itertools import count
from pathlib import Path

import pytest

from services.sandbox.port import NoSandbox
from services.sandbox.user_namespace import UserNamespaces

SETTLING = 0.1  # seconds a thread has to open one file


class Maker:
    """Opens one file for each namespace, and keeps whether the next can be made."""

    def __init__(self, folder: Path) -> None:
        self.able = True
        self._folder = folder
        self._numbers = count()

    def __call__(self) -> int:
        if not self.able:
            raise NoSandbox("none today")
        return os.open(self._folder / str(next(self._numbers)), os.O_CREAT | os.O_RDWR)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


async def given(namespaces: UserNamespaces) -> int:
    """Return the number of the one that a run was given, once the next is settled."""
    async with namespaces.one() as descriptor:
        number = int(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))  # noqa: PTH115, PTH119 -- short
    await asyncio.sleep(SETTLING)
    return number


async def test_each_is_given_once_and_closed(maker: Maker) -> None:
    namespaces = UserNamespaces(maker)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- a number, not paths
    assert [await given(namespaces) for _ in range(4)] == [0, 1, 2, 3]
    assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208 -- the one ahead


async def test_two_at_once_are_two(maker: Maker) -> None:
    namespaces = UserNamespaces(maker)
    await given(namespaces)
    async with namespaces.one() as one, namespaces.one() as other:
        assert not os.path.samestat(os.fstat(one), os.fstat(other))


async def test_one_that_could_not_be_made_ahead_is_made_anew(maker: Maker) -> None:
    namespaces = UserNamespaces(maker)
    async with namespaces.one():
        maker.able = False  # and so is the next, which is made when this one is given back
    await asyncio.sleep(SETTLING)
    maker.able = True
    await given(namespaces)
    maker.able = False
    await given(namespaces)
    with pytest.raises(NoSandbox, match="none today"):
        await given(namespaces)
