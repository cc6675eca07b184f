"""What every sandbox does for an ordinary command; the escape suite is beside it."""

import asyncio
import functools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.sandbox import tree
from services.sandbox.bubblewrap import Bubblewrap
from services.sandbox.detect import detect
from services.sandbox.namespaces import Namespaces
from services.sandbox.port import GIB, MIB, Command, Ended, Limits, NoSandbox, Result, Sandbox, Unrunnable
from services.sandbox.unsandboxed import Unsandboxed

INTERPRETER = (Path(sys.base_prefix),)
PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
PATIENCE = 20.0


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
        limits: Limits = Limits(wall_seconds=PATIENCE),
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

    async def python(self, source: str, *argv: str, limits: Limits = Limits(wall_seconds=PATIENCE)) -> Result:
        return await self.run(PYTHON, "-c", source, *argv, limits=limits)


def cell_in(level: str, home: Path) -> Cell:
    """Make a cell whose work folder was handed over."""
    cell = Cell(sandbox_of(level), home)
    cell.work.mkdir()
    cell.sandbox.hand_over(cell.work)
    return cell


@pytest.fixture(params=["bubblewrap", "namespaces+landlock", "namespaces", "none"])
def any_cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


@pytest.fixture(params=["bubblewrap", "namespaces+landlock", "namespaces"])
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
    started = any_cell.work / "started"
    script = f"(setsid sh -c 'trap \"\" TERM; sleep 1000.25' & ) ; touch {started}; sleep 1000.25"
    run = asyncio.create_task(any_cell.run("sh", "-c", script))
    async with asyncio.timeout(PATIENCE):
        while not started.exists():  # noqa: ASYNC110 -- the other side is a shell
            await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert sleepers("1000.25") == []


async def test_a_run_gives_back_every_descriptor(any_cell: Cell) -> None:
    await any_cell.run("true")
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await any_cell.run("true")
    assert sorted(os.listdir("/proc/self/fd")) == before


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
    assert result.stdout.decode().splitlines() == ["42 aps", f"/tmp/home {environment}"], result.stderr


async def test_home_and_tmp_are_private_and_writable(cell: Cell) -> None:
    script = "echo x > ~/x && echo y > $TMPDIR/y-of-a-run && cat ~/x && ls /tmp"
    assert (await cell.run("sh", "-c", script)).exit_code == 0
    assert not Path("/tmp/y-of-a-run").exists()
    assert (await cell.run("cat", "/tmp/y-of-a-run")).exit_code == 1


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


@pytest.mark.parametrize(
    ("path", "reason"),
    [("relative", "not absolute"), ("/", "whole"), ("/tmp", "whole"), ("/no/such/folder", "does not exist")],
)
async def test_a_path_that_cannot_be_shown_is_refused_by_name(cell: Cell, path: str, reason: str) -> None:
    command = Command(argv=("true",), cwd=cell.work, writable=(cell.work, Path(path)))
    with pytest.raises(Unrunnable, match=reason):
        await cell.sandbox.run(command, Limits())


async def test_a_writable_symbolic_link_is_refused(cell: Cell) -> None:
    link = cell.home / "link"
    link.symlink_to("/usr")
    with pytest.raises(Unrunnable, match="symbolic link"):
        await cell.sandbox.run(Command(argv=("true",), cwd=cell.work, writable=(cell.work, link)), Limits())


async def test_a_working_folder_that_is_not_shown_is_refused(cell: Cell) -> None:
    with pytest.raises(Unrunnable, match="working folder"):
        await cell.sandbox.run(Command(argv=("true",), cwd=cell.home, writable=(cell.work,)), Limits())


async def test_a_trivial_run_costs_little(cell: Cell) -> None:
    bound = 0.06 if cell.sandbox.level == "bubblewrap" else 0.15
    assert min([(await cell.run("true")).seconds for _ in range(7)]) < bound


async def test_one_process_may_reserve_more_than_it_uses(cell: Cell) -> None:
    source = f"import mmap; mmap.mmap(-1, {3 * GIB}); print('reserved')"
    result = await cell.python(source, limits=Limits(wall_seconds=PATIENCE, memory_bytes=GIB))
    assert result.stdout == b"reserved\n", result.stderr


async def test_memory_that_processes_share_counts_once(cell: Cell) -> None:
    source = (
        "import os, time\nblock = bytearray(b'x' * (150 << 20))\n"
        "for _ in range(3):\n    if not os.fork(): time.sleep(1); os._exit(0)\n"
        "time.sleep(1)"
    )
    result = await cell.python(source, limits=Limits(wall_seconds=PATIENCE, memory_bytes=400 * MIB))
    assert result.ended is Ended.EXITED, result.stderr


def test_handing_over_follows_no_link_and_spares_files_with_other_names(cell: Cell) -> None:
    outside = cell.home / "outside"
    outside.write_text("mine")
    (cell.work / "link").symlink_to(outside)
    os.link(outside, cell.work / "other name")
    (cell.work / "deep").mkdir()
    (cell.work / "deep" / "file").write_text("theirs")
    cell.sandbox.hand_over(cell.work)
    owner = cell.work.stat().st_uid
    assert outside.stat().st_uid == os.geteuid()
    assert outside.stat().st_nlink == (1 if os.geteuid() == 0 else 2)
    assert (cell.work / "deep" / "file").stat().st_uid == owner
    assert (cell.work / "link").lstat().st_uid == owner
    assert (cell.work / "other name").read_text() == "mine"


def test_handing_over_a_big_tree_again_is_quick(cell: Cell) -> None:
    for folder in range(20):
        (cell.work / str(folder)).mkdir()
        for file in range(250):
            (cell.work / str(folder) / str(file)).touch()
    cell.sandbox.hand_over(cell.work)
    begun = time.monotonic()
    cell.sandbox.hand_over(cell.work)
    assert time.monotonic() - begun < 0.5


async def test_detection_prefers_bubblewrap_and_obeys_a_preference() -> None:
    assert bubblewrap_is_there()
    assert (await detect()).level == "bubblewrap"
    assert (await detect("namespaces")).level.startswith("namespaces")


async def test_detection_never_chooses_to_do_without() -> None:
    with pytest.raises(NoSandbox, match="install the package `bubblewrap`"):
        await detect("none")


def sleepers(seconds: str) -> list[int]:
    """Return the host's processes that sleep for `seconds`."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if seconds.encode() in line and tree.parent(int(folder.name)) is not None:
            found.append(int(folder.name))
    return found
