"""What a hostile command tries, and fails at, in every sandbox: files, processes, privileges.

Greed and network have suites of their own beside this one.
"""

import asyncio
import os
from pathlib import Path

import pytest

from services.sandbox.identity import UID
from services.sandbox.port import Command, Limits
from tests.contract.test_sandbox import (
    LEVELS,
    PYTHON,
    Cell,
    all_refused,
    cell_in,
    command_line,
    mark,
)

AS_ROOT = os.geteuid() == 0


@pytest.fixture(params=LEVELS)
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


async def test_nothing_outside_can_be_written(cell: Cell, secret: Path) -> None:
    new = [f"{folder}/aps-escape" for folder in ("", "/usr", "/etc", "/dev", "/usr/bin", secret.parent)]
    attempts = f"for path in {[*new, '/etc/passwd', '/bin/sh', str(secret)]}: refused(open, path, 'a')"
    await all_refused(cell, attempts)
    beside = str(cell.home / "aps-escape")
    await cell.run("touch", beside)  # inside, a folder of the private /tmp: whether it works is no matter
    assert untouched(secret)
    assert existing(*new, beside) == []


async def test_what_is_not_its_own_is_mounted_read_only(cell: Cell) -> None:
    source = "import os; print([p for p in ('/', '/dev', '/usr') if not os.statvfs(p).f_flag & 1])"
    assert (await cell.python(source)).stdout == b"[]\n"


async def test_a_planted_symbolic_link_leads_nowhere(cell: Cell, secret: Path) -> None:
    attempts = f"""
import os
os.symlink({str(secret)!r}, 'file'); os.symlink({str(secret.parent)!r}, 'folder'); os.symlink('/', 'root')
for path in ('file', 'folder/secret', 'folder/more', 'root' + {str(secret)!r}, '../sibling/secret'):
    refused(open, path, 'a'); refused(open, path)
refused(os.chmod, 'file', 0); refused(os.rename, 'folder/secret', 'taken')
refused(os.link, {str(secret)!r}, 'hard')
"""
    await all_refused(cell, attempts)
    assert untouched(secret)


@pytest.mark.parametrize("door", ["/proc/self/root", "/proc/1/root", "/proc/self/cwd/..", "/proc/1/cwd"])
async def test_the_doors_in_proc_stay_shut(cell: Cell, secret: Path, door: str) -> None:
    attempts = f"refused(open, {door + str(secret)!r}); refused(open, {door + str(secret)!r}, 'a')"
    await all_refused(cell, attempts)
    assert untouched(secret)


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
    files = ["/etc/shadow", "/etc/gshadow", str(secret), "/proc/kcore", "/proc/1/root/etc/shadow"]
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
    on_the_way = {Path(shown).relative_to(Path.home()).parts[0] for shown in shown_to(cell) if at_home(shown)}
    assert set(result.stdout.decode().split()) <= on_the_way


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


async def test_other_processes_are_neither_seen_nor_killed_nor_traced(cell: Cell) -> None:
    victim = await asyncio.create_subprocess_exec("sleep", mark())
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
        assert command_line(victim.pid).startswith(b"sleep")
    finally:
        victim.kill()
        await victim.wait()


async def test_process_1_lends_no_power(cell: Cell) -> None:
    """As root it is another user; otherwise the same user without capabilities or host environment."""
    attempts = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attach(pid):
    if libc.ptrace(16, pid, 0, 0) != 0: raise OSError(ctypes.get_errno())
refused(attach, 1); refused(open, '/proc/1/environ'); refused(open, '/proc/1/maps')
refused(open, '/proc/1/mem', 'r+b')
"""
    if AS_ROOT:
        await all_refused(cell, attempts)
    else:
        status = (await cell.run("grep", "CapEff", "/proc/1/status")).stdout
        assert status.split() == [b"CapEff:", b"0" * 16]


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
        assert {owner(secret), owner(secret.parent)} == {0}
    second = await cell.sandbox.run(
        Command(("sh", "-c", "echo bad > link/secret"), cell.work / "deep", writable=(cell.work,)), Limits()
    )
    assert second.exit_code != 0
    assert untouched(secret)


def shown_to(cell: Cell) -> list[str]:
    return [str(cell.work), PYTHON]


def existing(*paths: str) -> list[str]:
    return [path for path in paths if Path(path).exists()]


def untouched(secret: Path) -> bool:
    return secret.read_text() == "precious"


def owner(path: Path) -> int:
    return path.stat().st_uid


def at_home(path: str) -> bool:
    return Path(path).is_relative_to(Path.home())
