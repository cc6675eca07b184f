"""A full disk is told apart from failures, and ends runs whose result it would falsify."""

import asyncio
import errno
import os
import shutil
from pathlib import Path

import pytest

from services.runtime.ending import end
from services.runtime.room import (
    RESERVE,
    NoRoom,
    RoomySandbox,
    is_full,
    refuse_without_room,
    shortage,
    watch_room,
)
from services.sandbox.port import Command, Ended, Hear, Limits, Result
from services.workspace.git.command import GitError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
RUN = Command(argv=("true",), cwd=Path("/"))


def test_there_is_room_on_an_ordinary_disk(tmp_path: Path) -> None:
    assert shutil.disk_usage(tmp_path).free > RESERVE, "these tests need room themselves"
    assert shortage([tmp_path, tmp_path / "not" / "made" / "yet"]) is None
    refuse_without_room([tmp_path])


@pytest.mark.parametrize(
    "problem",
    [
        FULL,
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        GitError(("write-tree",), 128, "fatal: unable to write loose object file: No space left on device"),
        ExceptionGroup("several", [ValueError("another"), ExceptionGroup("inner", [FULL])]),
        NoRoom("the disk that holds /x is full: 3 MB free"),
    ],
)
def test_a_full_disk_is_recognised_in_whatever_words(problem: Exception) -> None:
    assert is_full(problem)


def test_a_full_disk_is_recognised_behind_another_problem() -> None:
    outer = RuntimeError("the environment was not built")
    outer.__cause__ = ValueError("inner")
    outer.__cause__.__context__ = FULL
    assert is_full(outer)


def test_causes_that_run_in_a_circle_are_looked_at_once() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert not is_full(one)


def test_other_troubles_of_a_disk_are_no_reason_to_wait() -> None:
    assert not is_full(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    assert not is_full(OSError(errno.EROFS, os.strerror(errno.EROFS)))
    assert not is_full(RuntimeError("exit 1"))


class Endless:
    """A sandbox whose runs last until they are ended, or until the test lets them go."""

    level = "endless"

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended_early = False

    async def run(self, command: Command, limits: Limits, hear: Hear | None = None) -> Result:
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.ended_early = True
            raise
        return Result(Ended.EXITED, 1, b"", b"", 0.1)

    def hand_over(self, path: Path) -> None:
        raise AssertionError("nothing is handed over here")


class Disk:
    """A disk whose room the test decides."""

    def __init__(self) -> None:
        self.short: str | None = None

    def look(self) -> str | None:
        return self.short


async def test_a_run_is_ended_without_a_result_when_the_disk_fills_up_meanwhile() -> None:
    inside, disk = Endless(), Disk()
    running = asyncio.create_task(RoomySandbox(inside, disk.look).run(RUN, Limits()))
    await inside.began.wait()
    disk.short = "full"
    with pytest.raises(NoRoom, match="full"):
        await asyncio.wait_for(running, 5)
    assert inside.ended_early


async def test_what_a_run_said_counts_for_nothing_when_it_ended_on_a_full_disk() -> None:
    inside, disk = Endless(), Disk()
    running = asyncio.create_task(RoomySandbox(inside, disk.look).run(RUN, Limits()))
    await inside.began.wait()
    disk.short = "full"
    inside.may_end.set()
    with pytest.raises(NoRoom, match="full"):
        await running


async def test_no_run_begins_on_a_full_disk() -> None:
    inside, disk = Endless(), Disk()
    disk.short = "full"
    with pytest.raises(NoRoom):
        await RoomySandbox(inside, disk.look).run(RUN, Limits())
    assert not inside.began.is_set()


async def test_a_run_with_room_ends_as_it_does_without_us() -> None:
    inside = Endless()
    inside.may_end.set()
    assert (await RoomySandbox(inside, Disk().look).run(RUN, Limits())).exit_code == 1


async def test_a_full_disk_is_told_once_and_so_is_its_end() -> None:
    disk, heard = Disk(), asyncio.Event()
    told: list[str] = []
    disk.short = "the disk that holds /x is full: 3 MB free"

    def tell(text: str) -> None:
        told.append(text)
        heard.set()

    watching = asyncio.create_task(watch_room(disk.look, tell))
    await asyncio.wait_for(heard.wait(), 5)
    heard.clear()
    disk.short = None
    await asyncio.wait_for(heard.wait(), 5)
    watching.cancel()
    assert told == [
        "the disk that holds /x is full: 3 MB free; waiting until 32 MB are free",
        "there is room on the disk again; going on",
    ]


async def test_a_disk_that_cannot_be_asked_for_a_while_is_looked_at_again() -> None:
    trouble = OSError(errno.EIO, "Input/output error")
    answers: list[str | OSError] = ["full", trouble, trouble]
    told: list[str] = []
    went_on = asyncio.Event()

    def look() -> str | None:
        answer = answers.pop(0) if answers else None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def tell(text: str) -> None:
        told.append(text)
        if "going on" in text:
            went_on.set()

    watching = asyncio.create_task(watch_room(look, tell))
    await asyncio.wait_for(went_on.wait(), 30)
    await end(watching)
    assert told == [
        "full; waiting until 32 MB are free",
        "how much room the disk has cannot be seen: [Errno 5] Input/output error; looking again",
        "there is room on the disk again; going on",
    ]
