"""What every sandbox does for an ordinary command; the escape suite is beside it."""

import asyncio
import contextlib
import functools
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.sandbox.bubblewrap import Bubblewrap
from services.sandbox.namespaces import Namespaces
from services.sandbox.port import Command, Ended, Limits, Result, Sandbox
from services.sandbox.unsandboxed import Unsandboxed
from tests.descriptors import settled_descriptors

INTERPRETER = (Path(sys.base_prefix),)
PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
PATIENCE = 20.0
USUAL = Limits(wall_seconds=PATIENCE)
PRIVATE_HOME = "/tmp/home"  # noqa: S108 -- inside the sandbox
LEVELS = ("bubblewrap", "namespaces+landlock", "namespaces")
_marks = itertools.count(1000)


@functools.cache
def bubblewrap_is_there() -> bool:
    """Install bubblewrap where we may; the suite has to run over both back-ends."""
    if shutil.which("bwrap"):
        return True
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for step in (["apt-get", "update"], ["apt-get", "install", "-y", "bubblewrap"]):
            subprocess.run(step, check=False, capture_output=True)
    return shutil.which("bwrap") is not None


def sandbox_of(level: str) -> Sandbox:
    """Return the back-end, or fail the test with the cure: a level that cannot run proves nothing."""
    if level == "bubblewrap" and not bubblewrap_is_there():
        pytest.fail("bubblewrap is missing: run `apt-get install bubblewrap` (as root the suite does)")
    back_ends = {
        "bubblewrap": Bubblewrap,
        "namespaces+landlock": Namespaces,
        "namespaces": functools.partial(Namespaces, use_landlock=False),
        "none": Unsandboxed,
    }
    sandbox: Sandbox = back_ends[level]()
    if sandbox.level != level:
        pytest.fail(f"this kernel gives {sandbox.level}, not {level}: enable Landlock")
    return sandbox


REFUSED = """
def refused(attempt, *arguments):
    try:
        answer = attempt(*arguments)
    except BaseException as error:
        return print('refused', type(error).__name__)
    print('DONE', attempt, arguments, answer)
"""


@dataclass(frozen=True)
class Cell:
    """A sandbox with a work folder the command may write, below a folder it may not even see."""

    sandbox: Sandbox
    home: Path

    @property
    def work(self) -> Path:
        return self.home / "work"

    async def run(
        self,
        *argv: str,
        limits: Limits = USUAL,
        env: dict[str, str] | None = None,
        readable: tuple[Path, ...] = (),
        network: bool = False,
    ) -> Result:
        command = Command(
            argv=argv,
            cwd=self.work,
            writable=(self.work,),
            readable=(*INTERPRETER, *readable),
            env=env or {},
            network=network,
        )
        return await self.sandbox.run(command, limits)

    async def python(self, source: str, *argv: str, limits: Limits = USUAL) -> Result:
        return await self.run(PYTHON, "-c", source, *argv, limits=limits)


def cell_in(level: str, home: Path) -> Cell:
    """Make a cell whose work folder was handed over."""
    cell = Cell(sandbox_of(level), home)
    cell.work.mkdir()
    cell.sandbox.hand_over(cell.work)
    return cell


async def all_refused(cell: Cell, attempts: str, *argv: str) -> None:
    """Run lines of `refused(...)` and fail on the first that was not."""
    result = await cell.python(REFUSED + attempts, *argv)
    lines = result.stdout.decode().splitlines()
    assert result.exit_code == 0, result.stderr.decode()
    assert lines
    assert [line for line in lines if not line.startswith("refused")] == []


@pytest.fixture(params=[*LEVELS, "none"])
def any_cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


@pytest.fixture(params=LEVELS)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


@pytest.fixture
def greeting_server() -> Iterator[int]:
    """A server on the host's loopback that greets one caller."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)

        def greet() -> None:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            with caller:
                caller.sendall(b"hello")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


async def test_a_command_gives_back_its_exit_code_and_both_streams(any_cell: Cell) -> None:
    result = await any_cell.run("sh", "-c", "echo out; echo err >&2; exit 77")
    assert (result.ended, result.exit_code) == (Ended.EXITED, 77)
    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")


async def test_a_death_by_signal_is_a_negative_exit_code(any_cell: Cell) -> None:
    assert (await any_cell.run("sh", "-c", "kill -SEGV $$")).exit_code == -11
    assert (await any_cell.run("sh", "-c", "kill -KILL $$")).exit_code == -9


async def test_a_missing_program_exits_127_and_a_plain_file_126(any_cell: Cell) -> None:
    missing = await any_cell.run("no-such-program")
    assert missing.exit_code == 127
    assert b"no-such-program" in missing.stderr
    await any_cell.run("sh", "-c", "echo text > plain")
    assert (await any_cell.run(str(any_cell.work / "plain"))).exit_code == 126


async def test_it_starts_in_its_folder_and_what_it_writes_stays(any_cell: Cell) -> None:
    result = await any_cell.run("sh", "-c", "pwd; mkdir -p a/b; echo kept > a/b/c; mv a/b/c d")
    assert result.stdout.decode().strip() == str(any_cell.work)
    assert (any_cell.work / "d").read_text() == "kept\n"


async def test_paths_with_spaces_and_other_letters_work(any_cell: Cell) -> None:
    folder = any_cell.work / "größer = ok"
    folder.mkdir()
    any_cell.sandbox.hand_over(folder)
    command = Command(argv=("sh", "-c", "echo ä > naïve"), cwd=folder, writable=(folder,))
    assert (await any_cell.sandbox.run(command, Limits())).exit_code == 0
    assert (folder / "naïve").read_text() == "ä\n"


async def test_its_environment_is_what_was_given_and_wins(any_cell: Cell) -> None:
    result = await any_cell.run("sh", "-c", 'echo "$MARK|$LANG"', env={"MARK": "a b=c", "LANG": "C"})
    assert result.stdout == b"a b=c|C\n"


async def test_its_environment_holds_nothing_else(cell: Cell) -> None:
    lines = (await cell.run("env", env={"GIVEN": "yes"})).stdout.decode().splitlines()
    names = {line.partition("=")[0] for line in lines}
    assert names == {"GIVEN", "PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG"}


async def test_its_input_is_empty(any_cell: Cell) -> None:
    assert (await any_cell.run("cat")).exit_code == 0


async def test_a_run_beyond_its_time_is_ended(any_cell: Cell) -> None:
    result = await any_cell.run("sleep", "100", limits=Limits(wall_seconds=0.3))
    assert result.ended is Ended.TIMED_OUT
    assert result.seconds < 3


async def test_output_beyond_the_bound_keeps_head_and_tail(any_cell: Cell) -> None:
    source = "print('first'); print('x' * 3_000_000); print('last')"
    result = await any_cell.python(source, limits=Limits(wall_seconds=PATIENCE, output_bytes=1000))
    assert result.ended is Ended.EXITED
    assert result.stdout.startswith(b"first\n")
    assert result.stdout.endswith(b"last\n")
    assert b"2999012 bytes left out" in result.stdout
    assert len(result.stdout) < 1100


async def test_two_streams_are_read_at_once(any_cell: Cell) -> None:
    source = "import sys\nfor _ in range(50): sys.stderr.write('e' * 20000); sys.stdout.write('o' * 20000)"
    result = await any_cell.python(source)
    assert (len(result.stdout), len(result.stderr)) == (1_000_000, 1_000_000)


async def test_cancelling_ends_everything_it_started(any_cell: Cell) -> None:
    started, sleep = any_cell.work / "started", mark()
    script = f"(setsid sh -c 'trap \"\" TERM; sleep {sleep}' & ) ; touch {started}; sleep {sleep}"
    run = asyncio.create_task(any_cell.run("sh", "-c", script))
    async with asyncio.timeout(PATIENCE):
        while not started.exists():  # noqa: ASYNC110 -- the other side is a shell
            await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert alive(sleep) == []


async def test_a_run_gives_back_every_descriptor(any_cell: Cell) -> None:
    await any_cell.run("true")
    before = await settled_descriptors()
    for _ in range(3):
        await any_cell.run("true")
    assert await settled_descriptors() == before


async def test_many_runs_at_once_do_not_mix(any_cell: Cell) -> None:
    results = await asyncio.gather(*(any_cell.run("sh", "-c", f"echo {n}; exit {n}") for n in range(8)))
    assert [(result.exit_code, result.stdout) for result in results] == [
        (n, f"{n}\n".encode()) for n in range(8)
    ]


async def test_a_virtual_environment_works_with_its_interpreter_below_a_closed_folder(cell: Cell) -> None:
    environment = cell.home / "environment"
    venv.create(environment, symlinks=True)
    (cell.work / "local_module.py").write_text("value = 42\n")
    source = (
        "import getpass, os, sys, local_module, sqlite3, ssl\nprint(local_module.value, getpass.getuser())\n"
    )
    source += "print(os.path.expanduser('~'), sys.prefix)"
    result = await cell.run(str(environment / "bin" / "python"), "-c", source, readable=(environment,))
    assert result.stdout.decode().splitlines() == ["42 aps", f"{PRIVATE_HOME} {environment}"], result.stderr


async def test_home_and_tmp_are_private_and_writable(cell: Cell) -> None:
    name = f"private-{mark()}"
    script = f"echo x > ~/x && echo y > $TMPDIR/{name} && cat ~/x $TMPDIR/{name}"
    assert (await cell.run("sh", "-c", script)).stdout == b"x\ny\n"
    assert (await cell.run("sh", "-c", f"cat $TMPDIR/{name}")).exit_code == 1
    assert not seen_by_the_host(Path(tempfile.gettempdir()) / name)


async def test_pools_of_processes_and_shared_memory_work(cell: Cell) -> None:
    source = (
        "import multiprocessing as m, multiprocessing.shared_memory as s\n"
        "if __name__ == '__main__':\n"
        "    block = s.SharedMemory(create=True, size=64); block.close(); block.unlink()\n"
        "    with m.Pool(2) as pool: print(sum(pool.map(abs, range(5))))"
    )
    result = await cell.python(source)
    assert result.stdout == b"10\n", result.stderr


async def test_a_terminal_can_be_opened_inside(cell: Cell) -> None:
    result = await cell.python("import pty; print(pty.openpty() and 'opened')")
    assert result.stdout == b"opened\n", result.stderr


async def test_its_own_loopback_works_without_network(cell: Cell) -> None:
    source = (
        "import socket; server = socket.create_server(('localhost', 0))\n"
        "socket.create_connection(server.getsockname()).close(); print('reached')"
    )
    result = await cell.python(source)
    assert result.stdout == b"reached\n", result.stderr


async def test_with_network_it_reaches_the_host(cell: Cell, greeting_server: int) -> None:
    source = f"import socket; print(socket.create_connection(('localhost', {greeting_server})).recv(9))"
    result = await cell.run(PYTHON, "-c", source, network=True)
    assert result.stdout == b"b'hello'\n", result.stderr


async def test_a_folder_inside_a_readable_one_can_be_writable(cell: Cell) -> None:
    cell.home.chmod(0o755)
    script = "touch ../outside || touch inside"
    result = await cell.run("sh", "-c", script, readable=(cell.home,))
    assert result.exit_code == 0, result.stderr
    assert (cell.work / "inside").exists()
    assert not (cell.home / "outside").exists()


async def test_a_folder_below_closed_ones_can_be_the_working_folder(cell: Cell) -> None:
    cell.home.chmod(0o700)
    assert (await cell.run("touch", "inside")).exit_code == 0


async def test_a_single_file_can_be_shown(cell: Cell) -> None:
    shown = cell.home / "shown.txt"
    shown.write_text("shown")
    assert (await cell.run("cat", str(shown), readable=(shown,))).stdout == b"shown"


def mark() -> str:
    """Return a number of seconds that no other test, of this session or another, sleeps for."""
    return f"{next(_marks)}.{os.getpid()}"


def alive(marked: str) -> list[int]:
    """Return the host's processes whose command line holds `marked`; it is empty once one has ended."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and marked.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def seen_by_the_host(path: Path) -> bool:
    return path.exists()


def command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
