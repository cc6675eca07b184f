"""What a hostile command tries, and fails at, in every sandbox. Each back-end passes the whole suite."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.sandbox.identity import UID
from services.sandbox.port import GIB, MIB, Command, Ended, Limits
from tests.contract.test_sandbox import PATIENCE, PYTHON, Cell, cell_in, sleepers

REFUSED = """
def refused(attempt, *arguments):
    try:
        answer = attempt(*arguments)
    except BaseException as error:
        return print('refused', type(error).__name__)
    print('DONE', attempt, arguments, answer)
"""
AS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["bubblewrap", "namespaces+landlock", "namespaces"])
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Cell:
    return cell_in(request.param, tmp_path)


@pytest.fixture
def secret(cell: Cell) -> Path:
    """A file in a sibling folder of the work folder, readable and writable for all by its mode."""
    cell.home.chmod(0o755)
    folder = cell.home / "sibling"
    folder.mkdir()
    folder.chmod(0o777)
    file = folder / "secret"
    file.write_text("precious")
    file.chmod(0o666)
    return file


async def all_refused(cell: Cell, attempts: str, *argv: str) -> None:
    """Run lines of `refused(...)` and fail on the first that was not."""
    result = await cell.python(REFUSED + attempts, *argv)
    lines = result.stdout.decode().splitlines()
    assert result.exit_code == 0, result.stderr.decode()
    assert lines
    assert [line for line in lines if not line.startswith("refused")] == []


async def test_nothing_outside_can_be_written(cell: Cell, secret: Path) -> None:
    outside = [
        secret,
        secret.parent / "more",
        cell.home / "new",
        Path("/usr/aps-escape"),
        Path("/aps-escape"),
    ]
    outside += [Path("/etc/aps-escape"), Path("/etc/passwd"), Path("/dev/aps-escape"), Path("/bin/sh")]
    attempts = f"for path in {[str(path) for path in outside]}: refused(open, path, 'a')"
    await all_refused(cell, attempts)
    assert secret.read_text() == "precious"
    assert not any(path.exists() for path in outside if "escape" in path.name or path.name in {"more", "new"})


async def test_a_planted_symbolic_link_leads_nowhere(cell: Cell, secret: Path) -> None:
    attempts = f"""
import os
os.symlink({str(secret)!r}, 'file'); os.symlink({str(secret.parent)!r}, 'folder'); os.symlink('/', 'root')
for path in ('file', 'folder/secret', 'folder/more', 'root' + {str(secret)!r}, '../sibling/secret'):
    refused(open, path, 'a'); refused(open, path)
refused(os.chmod, 'file', 0); refused(os.rename, 'folder/secret', 'taken'); refused(os.link, {str(secret)!r}, 'hard')
"""
    await all_refused(cell, attempts)
    assert secret.read_text() == "precious"


@pytest.mark.parametrize("door", ["/proc/self/root", "/proc/1/root", "/proc/self/cwd/..", "/proc/1/cwd"])
async def test_the_doors_in_proc_stay_shut(cell: Cell, secret: Path, door: str) -> None:
    attempts = f"refused(open, {door + str(secret)!r}); refused(open, {door + str(secret)!r}, 'a')"
    await all_refused(cell, attempts)
    assert secret.read_text() == "precious"


async def test_a_readable_folder_is_not_writable_even_when_it_belongs_to_the_command(cell: Cell) -> None:
    cell.home.chmod(0o755)
    library = cell.home / "library"
    library.mkdir()
    (library / "module.py").write_text("good")
    cell.sandbox.hand_over(library)
    script = "echo bad > module.py; rm module.py; chmod 777 .; touch new; mv module.py other"
    result = await cell.run("sh", "-c", f"cd {library} && cat module.py && {script}", readable=(library,))
    assert result.stdout == b"good"
    assert [(file.name, file.read_text()) for file in library.iterdir()] == [("module.py", "good")]


async def test_secrets_of_the_host_cannot_be_read(cell: Cell, secret: Path) -> None:
    files = ["/etc/shadow", "/etc/gshadow", str(secret), "/proc/kcore", "/proc/1/environ", "/proc/1/mem"]
    files += [str(Path.home() / ".bashrc"), "/var/log/dpkg.log", "/run/utmp", "/root/.profile", "/dev/mem"]
    folders = [str(secret.parent), str(cell.home.parent), "/root", "/home", "/var", "/run", "/sys", "/boot"]
    attempts = f"""
import os
for path in {files}: refused(open, path)
for path in {folders}:
    try: names = os.listdir(path)
    except OSError: names = []
    # a parent of what was shown exists, but holds only the way there
    shown = [name for name in names if not any(w.startswith(path + '/' + name) for w in {shown_to(cell)})]
    print('refused' if not shown else ('DONE', path, shown))
"""
    await all_refused(cell, attempts)


async def test_the_home_of_the_invoking_user_is_not_there(cell: Cell) -> None:
    result = await cell.run("sh", "-c", f"ls -A {Path.home()}")
    assert set(result.stdout.decode().split()) <= {".pyenv", ".local"}  # parents of the interpreter shown


async def test_host_environment_and_descriptors_do_not_leak(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APS_TEST_SECRET", "leaked-by-environment")
    with open("/etc/hostname") as inherited:  # noqa: PTH123, ASYNC230 -- a descriptor to leak
        os.set_inheritable(inherited.fileno(), True)
        script = "env; cat /proc/*/environ /proc/*/cmdline; echo; ls /proc/self/fd"
        result = await cell.run("sh", "-c", script, env={"GIVEN": "yes"})
        os.set_inheritable(inherited.fileno(), False)
    lines = result.stdout.decode(errors="replace").splitlines()
    assert "GIVEN=yes" in lines
    assert "leaked-by-environment" not in result.stdout.decode(errors="replace")
    assert lines[-4:] == ["0", "1", "2", "3"]  # 3 is the folder `ls` reads


async def test_tcp_to_the_hosts_loopback_is_refused(cell: Cell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attempts = f"import socket\nrefused(socket.create_connection, ('127.0.0.1', {port}), 2)"
        await all_refused(cell, attempts)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_udp_reaches_no_one(cell: Cell) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        port = server.getsockname()[1]
        source = f"""
import socket
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b'out', ('127.0.0.1', {port}))
refused = False
try: client.sendto(b'out', ('192.0.2.1', 53))
except OSError: refused = True
print(refused)
"""
        result = await cell.python(source)
        assert result.stdout == b"True\n", result.stderr
        with pytest.raises(BlockingIOError):
            server.recv(16)


async def test_names_are_not_resolved(cell: Cell) -> None:
    await all_refused(cell, "import socket\nrefused(socket.getaddrinfo, 'example.org', 80)")


async def test_no_network_interface_but_its_own_loopback(cell: Cell) -> None:
    result = await cell.python("import socket; print([name for _, name in socket.if_nameindex()])")
    assert "lo" in result.stdout.decode()
    assert "eth" not in result.stdout.decode()
    route = await cell.run("cat", "/proc/net/route")
    assert len(route.stdout.splitlines()) <= 1  # the heading


async def test_abstract_and_ordinary_unix_sockets_of_the_host_are_out_of_reach(cell: Cell) -> None:
    name = f"\0aps-test-{os.getpid()}"
    path = cell.home / "socket"
    with listening_unix(name), listening_unix(str(path)):
        path.chmod(0o777)
        cell.home.chmod(0o755)
        attempts = f"""
import socket
for address in ({name!r}, {str(path)!r}, '/run/docker.sock', '/run/dbus/system_bus_socket'):
    refused(socket.socket(socket.AF_UNIX).connect, address)
"""
        await all_refused(cell, attempts)


async def test_raw_sockets_are_refused(cell: Cell) -> None:
    attempts = "import socket\nrefused(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)"
    attempts += "\nrefused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)"
    await all_refused(cell, attempts)


async def test_other_processes_are_neither_seen_nor_killed_nor_traced(cell: Cell) -> None:
    victim = await asyncio.create_subprocess_exec("sleep", "1000.125")
    try:
        source = f"""
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def attach(pid):
    if libc.ptrace(16, pid, 0, 0) != 0: raise OSError(ctypes.get_errno())
refused(os.kill, {victim.pid}, 9); refused(os.kill, {os.getpid()}, 0); refused(attach, {victim.pid})
refused(attach, {os.getpid()})
refused(open, '/proc/{victim.pid}/cmdline')
pids = [int(name) for name in os.listdir('/proc') if name.isdigit()]
print('refused' if len(pids) < 8 else pids)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try: os.kill(-1, signal.SIGTERM)
except OSError: pass
try: os.kill(1, signal.SIGKILL)
except OSError: pass
"""
        await all_refused(cell, source)
        assert victim.returncode is None
        assert Path(f"/proc/{victim.pid}").exists()
    finally:
        victim.kill()
        await victim.wait()


@pytest.mark.skipif(not AS_ROOT, reason="only root has another uid to drop to")
async def test_process_1_is_another_user_and_cannot_be_traced(cell: Cell) -> None:
    attempts = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attach(pid):
    if libc.ptrace(16, pid, 0, 0) != 0: raise OSError(ctypes.get_errno())
refused(attach, 1); refused(open, '/proc/1/mem', 'r+b'); refused(open, '/proc/1/maps')
"""
    await all_refused(cell, attempts)


async def test_it_runs_without_capabilities_and_can_gain_none(cell: Cell) -> None:
    script = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid|Groups)' /proc/self/status"
    lines = dict(
        line.split(":\t") for line in (await cell.run("sh", "-c", script)).stdout.decode().splitlines()
    )
    assert {lines[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (lines["NoNewPrivs"], lines["Seccomp"]) == ("1", "2")
    assert lines["Uid"].split() == lines["Gid"].split() == [str(UID)] * 4


@pytest.mark.parametrize(
    "script",
    [
        "su -c id root < /dev/null",
        "mount -t tmpfs none .",
        "mount --bind / .",
        "umount /tmp",
        "umount -l /proc",
        "mount -o remount,rw /usr",
        "unshare -Ur id",
        "unshare -m id",
        "unshare -p -f id",
        "nsenter -t 1 -a id",
        "setpriv --reuid 0 id",
        "chroot . id",
        "mknod disk b 254 0",
        "mknod memory c 1 1",
        "chown 0:0 .",
        "cp /bin/sh shell && chown root shell && chmod u+s shell",
        "ip link set lo down || ifconfig lo down",
        "echo 1 > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "echo 0 > /proc/sys/user/max_user_namespaces",
        "dmesg -C",
        "hostname other",
        "date -s 2000-01-01",
    ],
)
async def test_programs_of_the_system_give_no_power_back(cell: Cell, script: str) -> None:
    result = await cell.run("sh", "-c", script)
    assert result.exit_code not in {0, -31}, result.stdout


async def test_system_calls_give_no_power_back(cell: Cell) -> None:
    await all_refused(
        cell,
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0: raise OSError(ctypes.get_errno())
def number(*arguments):
    if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno())
refused(os.setuid, 0); refused(os.setgid, 0); refused(os.setgroups, [0]); refused(os.chroot, '.')
refused(call, 'unshare', 0x10000000); refused(call, 'unshare', 0x20000); refused(call, 'unshare', 0x40000000)
refused(call, 'mount', b'none', b'/tmp', b'tmpfs', 0, None); refused(call, 'umount2', b'/tmp', 2)
refused(call, 'mount', b'/usr', b'/tmp', None, 0x1000, None)
refused(call, 'pivot_root', b'.', b'.'); refused(call, 'setns', os.open('/proc/self/ns/user', 0), 0)
refused(call, 'reboot', 0); refused(call, 'sethostname', b'x', 1); refused(call, 'swapoff', b'/none')
for unified in (425, 428, 429, 430, 433, 435, 442): refused(number, unified, 0, 0, 0, 0, 0)
pid = os.fork()
if pid == 0:
    os._exit(0 if libc.clone(None, None, 0x10000000 | 17, None) < 0 else 1)
print('refused' if os.waitpid(pid, 0)[1] == 0 else 'DONE clone')
""",
    )


async def test_the_classic_way_out_of_a_chroot_is_shut(cell: Cell, secret: Path) -> None:
    attempts = f"""
import os
os.mkdir('inner'); top = os.open('.', os.O_RDONLY)
refused(os.chroot, 'inner')
os.fchdir(top)
for _ in range(64): os.chdir('..')
refused(open, '.' + {str(secret)!r}); refused(open, 'etc/shadow')
"""
    await all_refused(cell, attempts)


async def test_a_fork_bomb_is_bounded_and_gone(cell: Cell) -> None:
    source = """
import os, time
count = 0
try:
    while count < 2000:
        if not os.fork(): time.sleep(1000.375); os._exit(0)
        count += 1
except OSError: pass
print(count)
"""
    result = await cell.python(source, limits=Limits(wall_seconds=PATIENCE, processes=40))
    assert 10 < int(result.stdout) <= 40, result.stderr
    assert processes_of_the_sandbox() == []


async def test_a_bomb_that_never_stops_ends_with_the_clock(cell: Cell) -> None:
    script = "bomb() { bomb | bomb & }; while :; do bomb; done"
    result = await cell.run("bash", "-c", script, limits=Limits(wall_seconds=1, processes=60))
    assert result.ended is Ended.TIMED_OUT
    assert processes_of_the_sandbox() == []


async def test_a_fork_bomb_takes_nothing_from_its_neighbour(cell: Cell) -> None:
    bomb = asyncio.create_task(
        cell.run("bash", "-c", ":(){ :|:& };:; sleep 3", limits=Limits(wall_seconds=1.5, processes=50))
    )
    async with asyncio.timeout(PATIENCE):
        while len(processes_of_the_sandbox()) < 30:  # noqa: ASYNC110 -- the other side is a shell
            await asyncio.sleep(0.01)
    neighbour = await cell.run("sh", "-c", "true & true & wait; echo fine", limits=Limits(processes=20))
    assert (neighbour.exit_code, neighbour.stdout) == (0, b"fine\n"), neighbour.stderr
    await bomb


async def test_memory_is_bounded_across_children(cell: Cell) -> None:
    source = """
import os, time
for _ in range(6):
    if not os.fork():
        block = bytearray(os.urandom(1) * (64 << 20)); time.sleep(1000.5); os._exit(0)
time.sleep(1000.5)
"""
    result = await cell.python(source, limits=Limits(wall_seconds=PATIENCE, memory_bytes=256 * MIB))
    assert result.ended is Ended.OUT_OF_MEMORY
    assert processes_of_the_sandbox() == []


async def test_one_process_cannot_take_more_than_its_share(cell: Cell) -> None:
    source = "blocks = []\nwhile True: blocks.append(bytearray(b'x' * (8 << 20)))"
    result = await cell.python(source, limits=Limits(wall_seconds=PATIENCE, memory_bytes=256 * MIB))
    assert result.ended is Ended.OUT_OF_MEMORY or b"MemoryError" in result.stderr


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
async def test_folders_in_memory_are_bounded(cell: Cell, folder: str) -> None:
    script = f"head -c 200M /dev/zero > {folder}/big"
    result = await cell.run("sh", "-c", script, limits=Limits(wall_seconds=PATIENCE, memory_bytes=64 * MIB))
    assert result.exit_code != 0
    assert b"No space left" in result.stderr


async def test_a_file_of_more_than_a_gibibyte_is_refused(cell: Cell) -> None:
    await all_refused(cell, f"import os\nopen('big', 'w')\nrefused(os.truncate, 'big', {GIB + 1})")
    assert (cell.work / "big").stat().st_size == 0


async def test_endless_output_is_bounded(cell: Cell) -> None:
    limits = Limits(wall_seconds=1, output_bytes=10_000)
    result = await cell.run("sh", "-c", "yes & yes >&2", limits=limits)
    assert result.ended is Ended.TIMED_OUT
    assert len(result.stdout) < 10_100
    assert len(result.stderr) < 10_100


async def test_a_daemon_that_ignores_signals_does_not_outlive_the_run(cell: Cell) -> None:
    source = """
import os, signal, sys, time
if os.fork(): os._exit(0) if sys.argv[1] == 'exit' else time.sleep(1000.625)
os.setsid()
if os.fork(): os._exit(0)
for number in range(1, 32):
    if number not in (9, 19): signal.signal(number, signal.SIG_IGN)
os.execvp('sleep', ['sleep', '1000.625'])
"""
    exited = await cell.python(source, "exit")
    assert (exited.ended, exited.exit_code) == (Ended.EXITED, 0)
    assert exited.seconds < 5
    hung = await cell.python(source, "hang", limits=Limits(wall_seconds=0.5))
    assert hung.ended is Ended.TIMED_OUT
    assert hung.seconds < 5
    assert sleepers("1000.625") == []


async def test_nothing_outlives_the_service_that_started_it(cell: Cell) -> None:
    started = cell.work / "started"
    service = f"""
import asyncio
from pathlib import Path
from services.sandbox.port import Command, Limits
from tests.contract.test_sandbox import sandbox_of
command = Command(("sh", "-c", "touch started; sleep 1000.75 & setsid sleep 1000.75"), Path({str(cell.work)!r}),
                  writable=(Path({str(cell.work)!r}),))
asyncio.run(sandbox_of({cell.sandbox.level!r}).run(command, Limits()))
"""
    process = await asyncio.create_subprocess_exec(PYTHON_OF_THE_TESTS, "-c", service, cwd=REPOSITORY)
    async with asyncio.timeout(PATIENCE):
        while not (started.exists() and sleepers("1000.75")):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
        while sleepers("1000.75"):  # noqa: ASYNC110 -- the kernel ends them when it sees the parent gone
            await asyncio.sleep(0.02)


async def test_a_module_planted_for_the_launcher_is_not_run(cell: Cell) -> None:
    """The work folder may be the very sources the launcher was loaded from."""
    evil = cell.work / "evil.so"
    planted = cell.work / "sitecustomize.py"
    planted.write_text("raise SystemExit('planted')")
    env = {"PYTHONPATH": str(cell.work), "LD_PRELOAD": str(evil), "LD_LIBRARY_PATH": str(cell.work)}
    result = await cell.run("/bin/sh", "-c", "echo ran", env=env)
    assert result.stdout == b"ran\n"
    assert result.stderr.count(b"evil.so") <= 2  # the shell's own loader, never a program before it


async def test_the_writable_folder_cannot_be_swapped_under_a_later_run(cell: Cell, secret: Path) -> None:
    first = await cell.run("sh", "-c", f"mkdir deep; ln -s {secret.parent} deep/link; ln -s / deep/root")
    assert first.exit_code == 0
    cell.sandbox.hand_over(cell.work)
    if AS_ROOT:
        assert secret.stat().st_uid == secret.parent.stat().st_uid == 0
    second = await cell.sandbox.run(
        Command(("sh", "-c", "echo bad > link/secret"), cell.work / "deep", writable=(cell.work,)), Limits()
    )
    assert second.exit_code != 0
    assert secret.read_text() == "precious"


REPOSITORY = Path(__file__).parents[2]
PYTHON_OF_THE_TESTS = str(REPOSITORY / ".venv" / "bin" / "python")


def shown_to(cell: Cell) -> list[str]:
    return [str(cell.work), PYTHON]


@contextlib.contextmanager
def listening_unix(address: str) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        yield


def processes_of_the_sandbox() -> list[int]:
    """Return the living processes of the sandbox's uid on this machine."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and folder.stat().st_uid == UID and alive(folder):
                found.append(int(folder.name))
    return found


def alive(folder: Path) -> bool:
    return b"State:\tZ" not in (folder / "status").read_bytes()
