"""On a full disk everything waits, says so once, and goes on when there is room; the log stays whole."""

import asyncio
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from events.rights import USERS
from events.store import Unavailable
from services.runtime.ground import Ground, stand
from services.runtime.room import RESERVE, shortage
from services.runtime.settings import load
from services.sandbox.port import MIB
from tests.acceptance.command import aps, start
from tests.acceptance.conftest import Repositories
from tests.acceptance.targets import BRANCH, git
from tests.small_disks import full, small_disk, told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill"),
]

PATIENCE = 120.0


@pytest.fixture(scope="module")
def disk(prepared: Path) -> Iterator[Path]:
    """A data folder on a small disk of its own, in which the tiny project's environment is built already."""
    with small_disk() as folder:
        shutil.copytree(prepared, folder / "environments", symlinks=True)
        yield folder


@pytest.fixture
def empty_disk() -> Iterator[Path]:
    """A small disk of this test alone."""
    with small_disk() as folder:
        yield folder


class Lines:
    """The lines of a program as they come, all of them kept."""

    def __init__(self, stream: IO[str]) -> None:
        self.seen: list[str] = []
        self._coming: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(stream,))
        self._reader.start()

    def until(self, words: str) -> None:
        """Wait for a line that holds `words`; fail at the end of the program or of our patience."""
        line = ""
        while words not in line:
            try:
                line = self._coming.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"{PATIENCE:.0f} s passed without {words!r}: {self.text}") from None
            assert line, f"ended without {words!r}: {self.text}"

    @property
    def text(self) -> str:
        """Everything so far."""
        return "".join(self.seen)

    def to_the_end(self) -> str:
        """Wait for the end and return everything."""
        self._reader.join(PATIENCE)
        return self.text

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.seen.append(line)
                self._coming.put(line)
        self._coming.put("")


@contextmanager
def running(home: Path, *words: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], Lines, Lines]]:
    """Run `aps` with what it says on stdout and stderr; it is gone at the end of the block."""
    program = start(home, *words, **settings)
    assert program.stdout is not None
    assert program.stderr is not None
    out, err = Lines(program.stdout), Lines(program.stderr)
    try:
        yield program, out, err
    finally:
        program.terminate()
        program.wait(PATIENCE)
        out.to_the_end()
        err.to_the_end()


def assert_done(home: Path, *command: str, **settings: str) -> None:
    """A command did what it was asked for."""
    ended = aps(home, *command, **settings)
    assert ended.code == 0, ended.out + ended.err


def assert_whole(home: Path, **settings: str) -> None:
    """The log verifies, the views that a cycle built follow from it, and nothing was given up."""
    assert_done(home, "events", "verify", **settings)
    assert_done(home, "replay", "--check", **settings)
    assert "no dead letters" in aps(home, "dead", "list", **settings).out


@pytest.mark.parametrize("when", ["baseline", "trial"])
def test_a_cycle_waits_while_the_disk_is_full_and_goes_on_afterwards(
    disk: Path, target: Repositories, when: str
) -> None:
    root = target(name=when)
    with running(disk, "improve", str(root)) as (cycle, out, err), told(disk):
        err.until(f"{when}: ")
        with full(disk):
            err.until("MB free; waiting until")
            assert cycle.poll() is None
        err.until("there is room on the disk again; going on")
        said = err.to_the_end()
        assert cycle.wait(PATIENCE) == 0, said
    assert said.count("is full") == 1, said
    assert "Traceback" not in said + out.to_the_end()
    assert "landed" in out.text
    assert git(root, "branch", "--list", BRANCH)
    assert_whole(disk)


async def test_a_log_that_could_not_be_written_takes_facts_again_once_there_is_room(empty_disk: Path) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with (
        stand(load({"APS_HOME": str(empty_disk)}), heard.put_nowait) as ground,
        ground.log("pm") as (_, book),
    ):
        with told(empty_disk):
            with full(empty_disk), pytest.raises(Unavailable):
                await book.keep(bytes(100_000), "report", "text/plain")
            said = []
            while "NATS is back" not in said:
                said.append(await asyncio.wait_for(heard.get(), PATIENCE))
            kept = await book.keep(bytes(100_000), "report", "text/plain")
            assert await book.fetch(kept) == bytes(100_000)
    assert "NATS could not write its log; starting it again" in said
    assert sum("is full" in line for line in said) == 1, said
    assert_done(empty_disk, "events", "verify")


def test_a_command_that_cannot_begin_on_a_full_disk_says_so(disk: Path, target: Repositories) -> None:
    root = target()
    with full(disk):
        assert shortage([disk]) is not None
        ended = aps(disk, "improve", str(root))
    assert ended.code == 6, ended.err
    assert ended.err.splitlines() == [
        f"the disk that holds {disk} is full: 0 MB free; free {RESERVE // MIB} MB or more there, "
        "then run the same command again"
    ]


async def test_a_cycle_waits_for_room_on_servers_of_ones_own(
    empty_disk: Path, target: Repositories, fresh_home: Callable[[str], Path]
) -> None:
    root, home = target(name="own"), fresh_home("own")
    async with stand(load({"APS_HOME": str(empty_disk / "theirs")})) as ground:
        await asyncio.to_thread(_wait_for_room, home, root, empty_disk, own_servers(ground))


def _wait_for_room(home: Path, root: Path, disk: Path, servers: dict[str, str]) -> None:
    with running(home, "improve", str(root), **servers) as (cycle, out, err), told(disk):
        err.until("baseline: ")
        with full(disk):
            err.until("the log is away")
            assert cycle.poll() is None
        err.until("the log is back; going on")
        said = err.to_the_end()
        assert cycle.wait(PATIENCE) == 0, said
    assert "Traceback" not in said + out.to_the_end()
    assert "landed" in out.text
    assert_whole(home, **servers)


def own_servers(ground: Ground) -> dict[str, str]:
    """Return the settings of servers that somebody else runs."""
    assert ground.servers is not None
    passwords = {f"APS_NATS_{user.upper()}_PASSWORD": ground.servers.nats_password(user) for user in USERS}
    return {"NATS_URL": ground.servers.nats_url, "DATABASE_URL": ground.servers.database_url, **passwords}
